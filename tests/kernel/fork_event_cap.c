/* SPDX-License-Identifier: MIT */
/*
 * fork_event_cap - EVENT_FORK needs CAP_SYS_PTRACE: without it UFFDIO_API
 * answers EPERM, while the other events and USER_MODE_ONLY are for everybody.
 */
#include "fact_uffd.h"

#include <linux/capability.h>

static void drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { { 0 } };

	NEED(!syscall(SYS_capset, &head, none), "capset");
}

static int user_mode_api(uint64_t features)
{
	int uffd = fact_uffd_new(O_CLOEXEC | FACT_USER_MODE_ONLY);
	int err;

	if (uffd < 0)
		fact_skip("no userfaultfd for a user without capabilities "
			  "(%s)",
			  strerror(-uffd));
	err = fact_uffd_api(uffd, features);
	close(uffd);
	return err;
}

int main(void)
{
	fact_begin();
	drop_capabilities();
	FACT_IS(user_mode_api(FACT_FEATURE_EVENTS), 0,
		"REMAP, REMOVE and UNMAP need no capability");
	FACT_IS(user_mode_api(UFFD_FEATURE_EVENT_FORK), -EPERM,
		"EVENT_FORK without CAP_SYS_PTRACE is EPERM");
	return 0;
}
