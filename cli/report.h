/* SPDX-License-Identifier: MIT */
/* report.h - the statistics of a daemon as a table for people */
#ifndef UHMM_CLI_REPORT_H
#define UHMM_CLI_REPORT_H

#include <stdio.h>

/** cli_report_table() - a few lines of what is in @json, on @out */
void cli_report_table(FILE *out, const char *json);

#endif
