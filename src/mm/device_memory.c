/* SPDX-License-Identifier: MIT */
/* device_memory.c - what most drivers do with the memory of a device
 * (uhmm/device.h)
 */
#include <errno.h>
#include <string.h>

#include <uhmm/device.h>
#include <uhmm/migrate.h>

int uhmm_fault_to_ram(struct uhmm_device_fault *fault)
{
	int64_t back = uhmm_migrate_to_ram(
		fault->mm, uhmm_range_of(fault->vpn, 1), fault->pgmap);

	return back < 0 ? (int)back : 0;
}

static const struct uhmm_pagemap_ops back_to_ram = {
	.migrate_to_ram = uhmm_fault_to_ram,
};

int uhmm_device_add_memory(struct uhmm_device *dev,
			   const struct uhmm_pagemap_ops *ops)
{
	dev->pgmap.type = dev->type;
	dev->pgmap.npages = dev->npages;
	dev->pgmap.ops = ops ? ops : &back_to_ram;
	dev->pgmap.driver = dev;
	memcpy(dev->pgmap.owner, dev->uuid, sizeof(dev->uuid));
	return uhmm_memremap_device_private_pagemap(dev->core, &dev->pgmap);
}

int uhmm_user_range(const struct uhmm_core *core, uint64_t addr,
		    uint64_t npages, struct uhmm_range *r)
{
	uint64_t bytes = uhmm_core_page_bytes(core);

	if (addr % bytes || !npages ||
	    npages > (UINT64_MAX - addr) / bytes)
		return -EINVAL;
	*r = uhmm_range_of(UHMM_VPN(addr / bytes), npages);
	return 0;
}
