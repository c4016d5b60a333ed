/* SPDX-License-Identifier: MIT */
/*
 * The oracle: in the test build, with oracle=1 on the command line, every call that changes page
 * tables is held against what it promises. The other half of each promise, what must stay as it is,
 * is what no test of that call thinks of.
 *
 * An address space is looked at as what it means: for each page its frame, what the CPU allows
 * there (the W bits of all levels combined), what the VMA allows the program, and the kind of page.
 * This is computed from the real tables, before and after:
 *
 * - fork: the child's pages are the parent's, less VM_DONTFORK and VM_WIPEONFORK. The parent's keep
 *   frame, kind and program's rights.
 * - A resolved fault changes one leaf. Its page has the bytes it had (zeros, if it was anonymous
 * and had none), and the CPU allows the access. Any other fault changes nothing.
 * - unmap, discard: the pages of the range go, no others.
 * - move: each page of the old range is at the new one, where none was, and not at the old one.
 * - protect: the pages of the range get the new rights, and keep frame and kind.
 * - exit, exec (they unmap the old address space): nothing of anybody else's changes.
 * - All: no other address space changes at all. The CPU allows nothing that a VMA does not. A
 * private page that the CPU lets somebody change is mapped nowhere else.
 *
 * So copy-on-write does not change what an address space means until a fault moves a page. What the
 * CPU allows in the address space of the call may change beside that, within the last two rules.
 *
 * Other address spaces are looked at without their locks. So the oracle works while one CPU runs
 * the kernel, where nothing else runs between a call's begin and its end, and rests otherwise. Not
 * compared: contents of pages but the faulting one; what a file loses when it gets shorter
 * (vm_source_cut()); what happens between two calls, such as tables that
 * unmap and protect own beforehand; what a TLB holds. Of each of at most
 * LOOK_SPACES address spaces, LOOK_LEAVES leaves are looked at from a little below the call's
 * address upwards, and as many from address 0. A walk takes time, so the tests' small programs are
 * seen whole, and large ones around the call.
 */
#ifndef MM_ORACLE_H
#define MM_ORACLE_H

#include "mm/fault.h"
#include "mm/mm.h"

#ifdef CONFIG_TEST
/* Switch it on, before the first address space is made. False: this build has none. */
bool oracle_start(void);
/* mm has been made; it is about to be taken down. */
void oracle_add(struct mm *mm);
void oracle_remove(struct mm *mm);
/*
 * A call begins that changes mm, at va among other places. mm.lock is held until the call ends with
 * one of those below; or, before an exit, mm has been removed.
 */
void oracle_begin(struct mm *mm, uint64_t va);
void oracle_fork(struct mm *child, bool done);
/* own: the access needs a page that no other entry shares */
void oracle_fault(const struct vma *vma, uint64_t va, bool own, enum fault_outcome outcome);
void oracle_unmap(uint64_t start, uint64_t end);
void oracle_protect(uint64_t start, uint64_t end, uint32_t prot);
void oracle_move(uint64_t start, uint64_t end, uint64_t to);
void oracle_exit(void);
#else
static inline bool oracle_start(void) { return false; }
static inline void oracle_add(struct mm *mm) {}
static inline void oracle_remove(struct mm *mm) {}
static inline void oracle_begin(struct mm *mm, uint64_t va) {}
static inline void oracle_fork(struct mm *child, bool done) {}
static inline void oracle_fault(const struct vma *vma, uint64_t va, bool own,
                                enum fault_outcome outcome)
{
}
static inline void oracle_unmap(uint64_t start, uint64_t end) {}
static inline void oracle_protect(uint64_t start, uint64_t end, uint32_t prot) {}
static inline void oracle_move(uint64_t start, uint64_t end, uint64_t to) {}
static inline void oracle_exit(void) {}
#endif

#endif
