/* SPDX-License-Identifier: MIT */
/* facts.h - what this machine allows us, found out by trying */
#ifndef UHMM_CLI_FACTS_H
#define UHMM_CLI_FACTS_H

#include <stdbool.h>
#include <stdint.h>

/** How far a userfaultfd of ours sees. */
enum cli_uffd {
	CLI_UFFD_NONE,
	CLI_UFFD_USER_MODE_ONLY, /* not faults of system calls */
	CLI_UFFD_FULL,
};

struct cli_facts {
	char release[65];	/* of the kernel */
	enum cli_uffd uffd;
	int uffd_error;		/* errno of the system call, 0 it worked */
	int device_error;	/* errno of /dev/userfaultfd, 0 it worked */
	uint64_t uffd_features; /* UFFD_FEATURE_* the kernel knows */
	bool event_fork;	/* allowed, too */
	bool pagemap_scan;
	bool procmap_query;
	bool zero_page;		/* who reads an empty page gets it */
	int uring_error;	/* errno, 0 it works */
	int sysctl_uffd;	/* vm.unprivileged_userfaultfd, -1 none */
	int sysctl_uring;	/* kernel.io_uring_disabled, -1 none */
};

/** cli_facts_gather() - try everything */
void cli_facts_gather(struct cli_facts *f);

/** How much this user may here: what each has more than the next. */
enum cli_rung {
	CLI_RUNG_PRIVILEGED,	/* forks are told of */
	CLI_RUNG_SYSCTL,	/* vm.unprivileged_userfaultfd: system calls
				 * wait for pages */
	CLI_RUNG_DEVICE,	/* the same by /dev/userfaultfd */
	CLI_RUNG_PLAIN,		/* a userfaultfd for faults of user mode */
	CLI_RUNG_NONE,		/* no userfaultfd */
};

enum cli_rung cli_facts_rung(const struct cli_facts *f);

/** cli_facts_engine() - the engine that would be used */
const char *cli_facts_engine(const struct cli_facts *f);

/** cli_facts_loop() - the loop that would be used */
const char *cli_facts_loop(const struct cli_facts *f);

#endif
