/* SPDX-License-Identifier: MIT */
/* rules.h - which entries may follow which (spec 4.4), and which did */
#ifndef UHMM_TESTS_MODEL_RULES_H
#define UHMM_TESTS_MODEL_RULES_H

#include <stdbool.h>

#include <uhmm/softleaf.h>

/** rules_begin() - before the first test, in the process that starts them */
void rules_begin(void);

/** rules_note() - a leaf changes; ends the test when no rule allows it. For
 *  uhmm_shadow_trace. */
void rules_note(uint32_t slot, uhmm_vpn_t vpn, uhmm_softleaf_t old,
		uhmm_softleaf_t leaf);

/** rules_report() - print the types and changes of entries and how often they
 *  were seen. Return: was each seen that must be? */
bool rules_report(void);

#endif
