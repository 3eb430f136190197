/* SPDX-License-Identifier: MIT */
/* suite.h - one test case with a program (program.h) in each of its kinds */
#ifndef UHMM_TESTS_SYS_SUITE_H
#define UHMM_TESTS_SYS_SUITE_H

#include <check.h>

#include "program.h"

/** The program of the test that runs; started by the fixture. */
extern struct prog prog;

/**
 * suite_main() - run @tests with every kind of program there can be here
 * Return: exit status; 77 when there is no userfaultfd
 */
int suite_main_protect(const char *name, const TTest *const *tests,
		       unsigned int n);	/* with engine protect */
int suite_main(const char *name, const TTest *const *tests, unsigned int n);

#endif
