/* SPDX-License-Identifier: MIT */
/* sharers.h - who has the pages of a migration, too
 *
 * Theory of operation. A page that several mms share migrates for all of them: who has it, too, is
 * a sharer. Its entry is a migration entry of the same flight from the moment
 * the page boards (board), its CPU stops (stop), its page leaves when the one
 * that migrates has left and was the same to the last byte (take), and its
 * entry is that of the device page in the end (land). Where one of these fails
 * that sharer keeps the page, which is its own then. One that is on its way
 * already keeps all from going: as in the kernel, where that is the folio lock.
 * Kernel: try_to_migrate().
 */
#ifndef UHMM_MM_SHARERS_H
#define UHMM_MM_SHARERS_H

#include <uhmm/migrate.h>

/** One place that has a page of a flight, too. */
struct uhmm_sharer {
	struct uhmm_mm *mm;	/* referenced */
	uhmm_vpn_t vpn;		/* where it was when it boarded */
	uint32_t i;		/* page of the flight */
	bool stopped;		/* its CPU cannot write it */
	bool taken;		/* it has left its CPU */
	bool left;		/* it does not go after all */
};

/**
 * uhmm_sharers_board() - lock the pages on board of @args wherever they are;
 * one that is locked elsewhere leaves the flight
 */
void uhmm_sharers_board(struct uhmm_migrate_vma *args);

/**
 * uhmm_sharers_stop() - (yields) from now on the CPUs of all stop at them
 * @before: enum uhmm_pte bits of the pages of @args before they were protected
 * for this migration
 */
void uhmm_sharers_stop(struct uhmm_migrate_vma *args, const uint8_t *before);

/** uhmm_sharers_tell() - mirrors forget those that can go */
void uhmm_sharers_tell(struct uhmm_migrate_vma *args);

/** uhmm_sharers_take() - (yields) those leave the CPU whose page was taken */
void uhmm_sharers_take(struct uhmm_migrate_vma *args);

/** uhmm_sharers_land() - their entries say what is true now; before the flight
 *  ends. @unit: it landed as one, and so it does where all of it goes */
void uhmm_sharers_land(struct uhmm_migrate_vma *args, bool unit);

/** uhmm_sharers_leave() - or nothing has happened */
void uhmm_sharers_leave(struct uhmm_migrate_vma *args);

/** uhmm_sharers_fini() - let them go on; accepts a zeroed one */
void uhmm_sharers_fini(struct uhmm_sharers *s);

/** uhmm_migrate_is_taken() - has page @i of @args left its CPU? */
bool uhmm_migrate_is_taken(const struct uhmm_migrate_vma *args, uint64_t i);

#endif
