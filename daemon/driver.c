/* SPDX-License-Identifier: MIT */
/* driver.c - drivers from files (driver.h)
 *
 * A driver is code of the user's who starts the daemon, and runs as the daemon:
 * what is checked here are mistakes, not malice.
 */
#include "driver.h"

#include <ctype.h>
#include <dlfcn.h>
#include <string.h>

#include "base/log.h"

/* Letters that a node may have: it becomes a word of the environment. */
static bool is_name(const char *name)
{
	size_t n = 0;

	for (; name[n]; n++)
		if (!isalnum((unsigned char)name[n]) && name[n] != '_')
			return false;
	return n > 0 && n + 2 < UHMM_NODE_NAME_BYTES;
}

static bool has_ops(const struct uhmm_device_ops *ops)
{
	return ops && ops->start && ops->stop && ops->open && ops->release &&
	       ops->ioctl;
}

/* Why it cannot be used, or NULL. */
static const char *reason(const struct uhmm_driver *driver)
{
	if (driver->abi != UHMM_DRIVER_ABI)
		return "it was built for another version";
	if (!driver->ndevices || driver->ndevices > UHMM_DRIVER_DEVICES_MAX)
		return "it must have 1 to 8 devices";
	if (!driver->node || !is_name(driver->node))
		return "its node must be a word of letters, digits and _";
	if (!has_ops(driver->ops))
		return "it lacks one of start, stop, open, release, ioctl";
	if (driver->type != UHMM_MEMORY_DEVICE_PRIVATE &&
	    driver->type != UHMM_MEMORY_DEVICE_COHERENT)
		return "its memory must be private or coherent";
	return NULL;
}

const struct uhmm_driver *driver_load(const char *path)
{
	void *file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct uhmm_driver *driver;
	const char *why;

	if (!file) {
		uhmm_err("--driver: %s", dlerror());
		return NULL;
	}
	driver = dlsym(file, "uhmm_driver");
	why = driver ? reason(driver) : "it has no symbol uhmm_driver";
	if (!why)
		/* cppcheck-suppress resourceLeak ; it stays loaded */
		return driver;
	uhmm_err("--driver %s: %s", path, why);
	dlclose(file);
	return NULL;
}
