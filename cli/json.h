/* SPDX-License-Identifier: MIT */
/* json.h - find a value in a JSON text by its path
 *
 * A path is the keys and array indices joined by dots: "total.opens",
 * "devices.0.name". Texts come from our own daemon; one that is not JSON
 * finds nothing, and never is read beyond its end.
 */
#ifndef UHMM_CLI_JSON_H
#define UHMM_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>

/** cli_json_number() - is there a number at @path? then it is in *@out */
bool cli_json_number(const char *text, const char *path, double *out);

/** cli_json_string() - the same for a string, without undoing escapes */
bool cli_json_string(const char *text, const char *path, char *buf,
		     size_t bytes);

#endif
