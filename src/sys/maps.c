/* SPDX-License-Identifier: MIT */
#include "sys/maps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/lines.h"
#include "sys/pagesize.h"
#include "sys/smaps.h"
#include "sys/uapi.h"

/* Room for a name; what does not fit is an ordinary file's path. */
#define NAME_BYTES 256

/* Huge pages are at least this large: smaller alignment cannot be hugetlb. */
#define HUGE_MIN UINT64_C(0x10000)

/* One mapping as the kernel describes it, from the query or from the text. */
struct entry {
	uint64_t start, end;	/* addresses */
	bool read, write, exec, shared;
	uint64_t inode, device;
	uint64_t offset;	/* in the file, in bytes */
	uint64_t page_bytes;	/* 0: not known */
	char name[NAME_BYTES];	/* "" for none, or one too long */
};

static bool begins(const char *name, const char *with)
{
	return strncmp(name, with, strlen(with)) == 0;
}

static bool begins_any(const char *name, const char *const *with)
{
	for (; *with; with++)
		if (begins(name, *with))
			return true;
	return false;
}

/* An anonymous mapping, though a private one of /dev/zero has an inode. */
static bool is_anon(const struct entry *e)
{
	return !e->inode || begins(e->name, "/dev/zero");
}

/* [vdso], [vvar], [uprobes] ... but not the program's own [heap], [stack]. */
static bool is_kernel_text(const struct entry *e)
{
	static const char *const own[] = { "[heap", "[stack", "[anon", NULL };

	return !e->inode && e->name[0] == '[' && !begins_any(e->name, own);
}

/* A file that may be a driver's: devices, anonymous inodes, sockets, rings. */
static bool maybe_driver(const struct entry *e)
{
	static const char *const plain[] = {
		"/dev/zero", "/dev/shm/", "/dev/hugepages", NULL
	};
	static const char *const other[] = {
		"/dev/", "/[aio]", "/dmabuf:", "/drm ", "/i915", NULL
	};

	if (!e->inode || !e->name[0])
		return false;
	if (e->name[0] != '/')
		return true;
	return begins_any(e->name, other) && !begins_any(e->name, plain);
}

static void judge_driver(const struct uhmm_maps *maps, const struct entry *e,
			 struct uhmm_vma *vma)
{
	struct uhmm_smaps smaps;

	if (uhmm_smaps_find(maps->fd, e->start, e->end, &smaps) < 0) {
		vma->special = true;
		vma->pfnmap = begins(e->name, "/dev/");
		return;
	}
	vma->pfnmap = smaps.io || smaps.pfnmap;
	vma->special = vma->pfnmap || smaps.mixedmap || smaps.dontexpand;
}

static void judge_special(const struct uhmm_maps *maps, const struct entry *e,
			  struct uhmm_vma *vma)
{
	if (is_kernel_text(e)) {
		vma->special = true;
		vma->pfnmap = begins(e->name, "[vvar");
	} else if (begins(e->name, "/memfd:hmm_dmirror")) {
		vma->special = true;
	} else if (maybe_driver(e)) {
		judge_driver(maps, e, vma);
	}
}

/* Without PROCMAP_QUERY: a name says it, or alignment allows it. */
static bool is_hugetlb_by_text(const struct uhmm_maps *maps,
			       const struct entry *e)
{
	struct uhmm_smaps smaps;

	if (begins(e->name, "/anon_hugepage"))
		return true;
	if (!e->inode || e->start % HUGE_MIN || e->end % HUGE_MIN)
		return false;
	if (uhmm_smaps_find(maps->fd, e->start, e->end, &smaps) < 0)
		return begins(e->name, "/dev/hugepages");
	return smaps.page_bytes > uhmm_page_bytes();
}

static void judge(const struct uhmm_maps *maps, const struct entry *e,
		  struct uhmm_vma *vma)
{
	*vma = (struct uhmm_vma){
		.range = { uhmm_vpn_of(e->start), uhmm_vpn_of(e->end) },
		.read = e->read,
		.write = e->write,
		.exec = e->exec,
		.shared = e->shared,
		.anon = is_anon(e),
		.stack = begins(e->name, "[stack"),
		.heap = begins(e->name, "[heap"),
		.hugetlb = e->page_bytes ? e->page_bytes > uhmm_page_bytes() :
					   is_hugetlb_by_text(maps, e),
	};
	if (e->inode) {
		vma->device = e->device;
		vma->file = e->device << 40 ^ e->inode;
		vma->file_page = e->offset / uhmm_page_bytes();
	}
	judge_special(maps, e, vma);
}

static int query(int fd, struct uhmm_procmap_query *q)
{
	int saved = errno;
	int err = ioctl(fd, UHMM_PROCMAP_QUERY, q) < 0 ? -errno : 0;

	errno = saved;
	return err;
}

/* PROCMAP_QUERY, with the name if it fits. */
static int find_by_query(const struct uhmm_maps *maps, uint64_t addr,
			 struct entry *e)
{
	struct uhmm_procmap_query q = {
		.size = sizeof(q),
		.query_flags = UHMM_PROCMAP_COVERING_OR_NEXT,
		.query_addr = addr,
		.vma_name_size = sizeof(e->name),
		.vma_name_addr = (uintptr_t)e->name,
	};
	int err = query(maps->fd, &q);

	if (err == -ENAMETOOLONG) {
		q.vma_name_size = 0;
		q.vma_name_addr = 0;
		err = query(maps->fd, &q);
	}
	if (err)
		return err;
	if (!q.vma_name_size)
		e->name[0] = '\0';
	e->start = q.vma_start;
	e->end = q.vma_end;
	e->read = q.vma_flags & UHMM_PROCMAP_READABLE;
	e->write = q.vma_flags & UHMM_PROCMAP_WRITABLE;
	e->exec = q.vma_flags & UHMM_PROCMAP_EXECUTABLE;
	e->shared = q.vma_flags & UHMM_PROCMAP_SHARED;
	e->inode = q.inode;
	e->device = uhmm_maps_device(q.dev_major, q.dev_minor);
	e->offset = q.vma_offset;
	e->page_bytes = q.vma_page_size;
	return 0;
}

/* "start-end perms offset major:minor inode   name" */
static bool parse_line(const char *line, struct entry *e)
{
	unsigned long start, end, offset, inode;
	unsigned int major, minor;
	char perms[5];
	int name = 0;
	size_t length;

	if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %n", &start, &end, perms,
		   &offset, &major, &minor, &inode, &name) != 7 || !name)
		return false;
	*e = (struct entry){
		.start = start,
		.end = end,
		.read = perms[0] == 'r',
		.write = perms[1] == 'w',
		.exec = perms[2] == 'x',
		.shared = perms[3] == 's',
		.inode = inode,
		.device = uhmm_maps_device(major, minor),
		.offset = offset,
	};
	length = strlen(line + name);
	if (length < sizeof(e->name))
		memcpy(e->name, line + name, length);
	return true;
}

static int find_by_text(const struct uhmm_maps *maps, uint64_t addr,
			struct entry *e)
{
	struct uhmm_lines lines;
	bool any = false;
	char *line;

	uhmm_lines_init(&lines, maps->fd);
	while ((line = uhmm_lines_next(&lines))) {
		if (!parse_line(line, e))
			continue;
		any = true;
		if (e->end > addr && !begins(e->name, "[vsyscall]"))
			return 0;
	}
	/* an mm that is gone has no text at all, or refuses to be read */
	return any ? -ENOENT : -ESRCH;
}

int uhmm_maps_find(const struct uhmm_maps *maps, uhmm_vpn_t vpn,
		   struct uhmm_vma *vma)
{
	uint64_t addr = uhmm_addr_of(vpn);
	struct entry e;
	int err = maps->has_query ? find_by_query(maps, addr, &e) :
				    find_by_text(maps, addr, &e);

	if (!err)
		judge(maps, &e, vma);
	return err;
}

void uhmm_maps_init(struct uhmm_maps *maps, int fd)
{
	struct uhmm_procmap_query q = {
		.size = sizeof(q),
		.query_flags = UHMM_PROCMAP_COVERING_OR_NEXT,
	};
	int err = query(fd, &q);

	*maps = (struct uhmm_maps){
		.fd = fd,
		.has_query = !err || err == -ENOENT || err == -ESRCH,
	};
}
