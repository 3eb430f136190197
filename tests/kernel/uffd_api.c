/* SPDX-License-Identifier: MIT */
/*
 * uffd_api - how to find out what a userfaultfd can do: UFFDIO_API with no
 * features lists them all, but uses the descriptor up, a second call is
 * EINVAL; a call with an unknown feature is EINVAL, tells nothing, and leaves
 * the descriptor as new.
 */
#include "fact_uffd.h"

#define UNKNOWN_FEATURE (1ULL << 62)

static int api(int uffd, uint64_t features, struct uffdio_api *answer)
{
	*answer = (struct uffdio_api){ .api = UFFD_API, .features = features };
	return ioctl(uffd, UFFDIO_API, answer) ? -errno : 0;
}

int main(void)
{
	struct uffdio_api answer;
	int uffd;

	fact_begin();
	close(fact_uffd(0)); /* may we have one at all? */
	uffd = fact_uffd_new(O_CLOEXEC | O_NONBLOCK);
	NEED(uffd >= 0, "userfaultfd");
	FACT_IS(api(uffd, UNKNOWN_FEATURE, &answer), -EINVAL,
		"an unknown feature is EINVAL");
	FACT_IS(answer.features, 0, "that tells no features");
	FACT_IS(api(uffd, 0, &answer), 0, "the descriptor is as new after it");
	FACT(answer.features & UFFD_FEATURE_PAGEFAULT_FLAG_WP,
	     "UFFDIO_API without features lists what there is");
	FACT_IS(api(uffd, 0, &answer), -EINVAL,
		"UFFDIO_API works once per descriptor");
	return 0;
}
