/* SPDX-License-Identifier: MIT */
/* What kernel/fs/ stands on, for fuzzers on the build machine: memory that the sanitizers watch,
 * locks that nobody else wants, and a second RAM file system where /proc is. */
#ifndef TESTS_FUZZ_FS_FAKE_H
#define TESTS_FUZZ_FS_FAKE_H

/* Objects and frames that are allocated now. */
extern unsigned long fake_live;

#endif
