/* SPDX-License-Identifier: MIT */
/* bench_core.c - what a device costs before it has a page: time and memory
 *
 * Runs the daemon's own code for it in this process. Not run under uhmm.
 */
#include <stdio.h>

#include "bench.h"
#include "core.h"

/* Everything that is done for a device, the daemon's core being there. */
static void measure(const char *name, uint64_t bytes)
{
	struct conf_device conf = { .type = UHMM_MEMORY_DEVICE_PRIVATE,
				    .bytes = bytes };
	struct bench b = { .name = name, .unit = "device" };
	char extra[64] = "";
	struct core c;

	if (!bench_wants(name))
		return;
	for (unsigned int i = 0; i < bench_options.times; i++) {
		uint64_t before, from, touched;

		if (core_init(&c))
			bench_die("core_init");
		before = uhmm_memfd_resident_bytes(&c.store_mem);
		bench_yardstick(&b);
		from = bench_now_ns();
		if (core_start_devices(&c, &conf, 1, &uhmm_dmirror_ops))
			bench_die("core_start_devices");
		bench_add(&b, from, 1);
		touched = uhmm_memfd_resident_bytes(&c.store_mem) - before +
			  uhmm_devmem_resident_bytes(&c.devmem);
		snprintf(extra, sizeof(extra), ", \"bytes\": %llu",
			 (unsigned long long)touched);
		core_stop_devices(&c);
		core_fini(&c);
	}
	b.extra = extra;
	bench_print(&b);
}

int main(int argc, char **argv)
{
	if (bench_parse(argc, argv) != argc)
		return 2;
	measure("device_create_1G", UINT64_C(1) << 30);
	measure("device_create_1T", UINT64_C(1) << 40);
	measure("device_create_16T", UINT64_C(1) << 44);
	return 0;
}
