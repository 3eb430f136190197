/* SPDX-License-Identifier: MIT */
/* consumer.c - a program that embeds the semantics: a core, a device in it */
#include <uhmm/uhmm.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NPAGES 512

static void check(const char *what, int ok)
{
	if (ok)
		return;
	fprintf(stderr, "consumer: %s\n", what);
	exit(1);
}

static void wake(struct uhmm_core *core, struct uhmm_mm *mm)
{
	(void)core;
	(void)mm;
}

static const struct uhmm_core_ops core_ops = { .wake = wake };
static const struct uhmm_pagemap_ops pagemap_ops = {
	.migrate_to_ram = uhmm_fault_to_ram,
};

int main(void)
{
	struct uhmm_pagemap pgmap = { .type = UHMM_MEMORY_DEVICE_PRIVATE,
				      .npages = NPAGES,
				      .ops = &pagemap_ops };
	struct uhmm_device_page page;
	struct uhmm_core *core;
	uhmm_dpfn_t first, dpfn;
	char why[160];

	check("core", !uhmm_core_create(&core_ops, NULL, 4096, 2 << 20, &core));
	check("memory",
	      !uhmm_memremap_device_private_pagemap(core, &pgmap));
	first = uhmm_pagemap_first(&pgmap);
	check("lookup", !uhmm_device_private_offset_to_page(core, first.val,
							    &page) &&
				uhmm_device_private_page_to_offset(&page) ==
					first.val && !page.used);
	check("no such page",
	      uhmm_device_private_offset_to_page(
		      core, uhmm_pagemap_end(&pgmap).val, &page) == -ENXIO);
	check("injection",
	      !uhmm_inject_parse(uhmm_core_inject(core), "alloc=1") &&
		      uhmm_pagemap_alloc(&pgmap, 0, &dpfn) == -ENOMEM);
	check("state", !uhmm_mm_check(core, why, sizeof(why)));
	uhmm_memunmap_device_private_pagemap(&pgmap);
	uhmm_core_destroy(core);
	return 0;
}
