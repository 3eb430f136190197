/* SPDX-License-Identifier: MIT */
/* window_inside.h - what the program's hands do to a window: the preload
 * library's own code, which is a world of its own
 */
#ifndef UHMM_TESTS_SYS_WINDOW_INSIDE_H
#define UHMM_TESTS_SYS_WINDOW_INSIDE_H

#include "program_inside.h"

/** is_for_window() - is @op one of these? */
bool is_for_window(unsigned int op);

/** do_window() - @uffd is the program's */
struct prog_hands_reply do_window(int uffd, const struct prog_hands *cmd);

#endif
