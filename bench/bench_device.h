/* SPDX-License-Identifier: MIT */
/* bench_device.h - the groups of figures that bench_device takes
 *
 * Each takes those of its figures that are asked for (bench_wants()).
 */
#ifndef UHMM_BENCH_BENCH_DEVICE_H
#define UHMM_BENCH_BENCH_DEVICE_H

/** What processes do that have no device open yet: attach, fault at once. */
void bench_fresh(void);

/** Pages and 2 MiB units to the device and back, by call and by CPU fault. */
void bench_migrate(int fd);

/** READ, WRITE, SNAPSHOT, EXCLUSIVE, and opening one more time. */
void bench_commands(int fd);

/** What depends on how much there is: resident pages, forks, metadata. */
void bench_many(int fd);

#endif
