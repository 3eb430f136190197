/* SPDX-License-Identifier: MIT */
/* model.h - what a page is, in the plainest possible C
 *
 * Two programs, two pages each, two private devices. No migration entries, no
 * engine, no reverse map: one page after the other, one thing after the other,
 * as the kernel's manual pages and the specification say it. What the library
 * does is compared with this after every step (world.h).
 */
#ifndef UHMM_TESTS_MODEL_H
#define UHMM_TESTS_MODEL_H

#include <stdbool.h>

#define MODEL_PROCS 2
#define MODEL_PAGES 2
#define MODEL_DEVS 2
#define MODEL_DEPTH 128		/* generations of programs */

enum model_rights { MODEL_NONE, MODEL_READ, MODEL_WRITE };

enum model_where {
	MODEL_HOLE,		/* nothing there; the zero page counts as it */
	MODEL_RAM,
	MODEL_DEV,
	MODEL_EXCLUSIVE,
};

/** One page number of one program. */
struct model_page {
	bool mapped;
	enum model_rights rights;	/* of the mapping */
	enum model_where where;
	int dev;		/* DEV: on which device */
	int id;			/* away: which page; two programs that have
				 * the same share it */
	int kin;		/* there or away: which page; two programs that
				 * have the same share it, 0: nobody else does */
	int birth;		/* of kin: the id of the program it was made in */
	bool write;		/* the entry is writable */
	bool alone;		/* no fork shares it (PageAnonExclusive) */
	bool loose;		/* one does that met it unprotected: nobody is
				 * told when it ends */
	int value;		/* what it holds; never the same again */
	bool tag[MODEL_DEVS];	/* a device may use it atomically */
};

struct model_proc {
	bool alive;
	int line[MODEL_DEPTH];	/* ids: the first ancestor's ... its own */
	int depth;
	bool joined;		/* its pages are in one mapping */
	struct model_page page[MODEL_PAGES];
};

struct model {
	struct model_proc proc[MODEL_PROCS];
	int last_id, last_kin, last_birth, last_value;
	int room[MODEL_DEVS];	/* pages a device has */
	bool unplugged[MODEL_DEVS];
	int exclusive_room;	/* pages there can be exclusive */
};

/** model_init() - one program with two pages, nothing touched */
void model_init(struct model *m, const int room[MODEL_DEVS],
		int exclusive_room);

/** model_touch() - a CPU access. Return: does it succeed? */
bool model_touch(struct model *m, int p, int v, bool write);

/** model_next_value() - what the next write puts there */
int model_next_value(const struct model *m);

/** model_dev_write() - a device writes to what it has */
void model_dev_write(struct model *m, int p, int v);

void model_fork(struct model *m, int parent, int child);
void model_exit(struct model *m, int p);
void model_map(struct model *m, int p, int v);
void model_unmap(struct model *m, int p, int v);
void model_dontneed(struct model *m, int p, int v);
void model_protect(struct model *m, int p, int v, enum model_rights rights);

/** model_remap() - mremap() of page @v onto the other one */
void model_remap(struct model *m, int p, int v);

/** model_is_one_mapping() - are these @n pages in one? */
bool model_is_one_mapping(const struct model *m, int p, int v, int n);

/**
 * model_to_dev() - migrate_vma to device @dev, of @n pages, for all who share
 * @given: by page: did the driver have a page for it, and could it be taken?
 */
void model_to_dev(struct model *m, int p, int v, int n, int dev,
		  const bool given[MODEL_PAGES]);

/** model_is_kin() - have these two the same page, by a fork? */
bool model_is_kin(const struct model_page *a, const struct model_page *b);

/** model_to_sys() - migrate_vma from device @dev back, for all who share */
void model_to_sys(struct model *m, int p, int v, int n, int dev, bool given);

/** model_move() - migrate_vma from device @dev to the other one, for all who
 *  share. @given: by page: had the driver a page for it there? */
void model_move(struct model *m, int p, int v, int n, int dev,
		const bool given[MODEL_PAGES]);

/** model_evict() - everything on device @dev goes back, if it can be @given;
 *  model_unplug() - all does, and nothing goes there any more */
void model_evict(struct model *m, int dev, bool given);
void model_unplug(struct model *m, int dev);

/** model_is_older() - was program @p there before @q? model_descends() - is
 *  program @id one of its line, or itself? */
bool model_is_older(const struct model *m, int p, int q);
bool model_descends(const struct model *m, int p, int id);

/** model_exclusive() - device @dev gets the page for itself.
 *  Return: 0, or a negative errno */
int model_exclusive(struct model *m, int p, int v, int dev);

/** model_used() - pages of device @dev in use; model_exclusives() - exclusive
 *  pages */
int model_used(const struct model *m, int dev);
int model_exclusives(const struct model *m);

/** model_forget() - devices' tags of these pages go, but that of @but */
void model_forget(struct model *m, int p, int v, int n, int but);

#endif
