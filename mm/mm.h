/* SPDX-License-Identifier: MIT */
/* Address spaces: a page table, and the VMAs that say what its entries may become. */
#ifndef MM_MM_H
#define MM_MM_H

#include "arch/x86/arch.h"
#include "arch/x86/pgtable.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/types.h"
#include "mm/phys/frame.h"
#include "mm/vma/tree.h"

/*
 * Where a file mapping's frames come from: kernel/ provides one for each file it lets be mapped.
 * frame(): put the frame that holds page number page of the file, with a reference for the caller,
 * in *frame; 0, -ENOMEM, or -EIO beyond the end of the file. Called with mm.lock held for reading.
 * has(): is there a frame for the page already? Called like frame().
 * hold() and release(): one VMA more, or one fewer, shows the file; mm.lock may be held for
 * writing.
 */
struct vm_source {
    int (*frame)(struct vm_source *source, uint64_t page, struct frame **frame);
    bool (*has)(struct vm_source *source, uint64_t page);
    void (*hold)(struct vm_source *source);
    void (*release)(struct vm_source *source);
    /* for /proc/PID/maps */
    void (*name)(struct vm_source *source, char *to, size_t size);
    /* the rest belongs to mm/; vm_source_init() sets it */
    struct spinlock lock; /* LOCK_SOURCE */
    struct list vmas;     /* [lock] by vma.source_link; those not up to date with cuts come first */
    uint32_t cuts;        /* [lock] how often vm_source_cut() was called */
};

/*
 * Who provides the missing pages of VMAs, in place of zeros: an open userfaultfd of kernel/. Its
 * address space may end before it does.
 */
struct vm_pager {
    struct mm *mm;         /* by a lock of pager.c; NULL: it has ended */
    struct vm_pager *next; /* by the same: in mm.pagers */
};

#define VM_READ         0x0001u
#define VM_WRITE        0x0002u
#define VM_EXEC         0x0004u
#define VM_SHARED       0x0008u
#define VM_GROWSDOWN    0x0010u
#define VM_SHADOW_STACK 0x0020u /* guard pages at both ends that placement never fills */
/* leaves of this size only; mapped, protected and unmapped in whole leaves */
#define VM_HUGE_2M      0x0040u
#define VM_HUGE_1G      0x0080u
#define VM_STACK        0x0100u /* a program's first stack; for /proc/PID/maps */
#define VM_HEAP         0x0200u /* brk; for /proc/PID/maps */
/* a shared mapping of what was opened for reading only: mprotect may not add VM_WRITE */
#define VM_WRITE_DENIED 0x0400u
#define VM_DONTFORK     0x0800u /* a child does not get it */
#define VM_WIPEONFORK   0x1000u /* a child gets it empty; private anonymous memory only */
/* what is missing comes from vma.pager; private anonymous memory only */
#define VM_PAGED        0x2000u
#define VM_PROT         (VM_READ | VM_WRITE | VM_EXEC)

/* How many VMAs an address space may have, but for a few: as Linux's vm.max_map_count. Everything
 * that would make one more is -ENOMEM. */
#define VMAS_MAX 65530

/* [M] mm.lock for writing; read with it held either way  [S] source.lock */
struct vma {
    struct tree_node node;    /* [M] in mm.vma_tree; its value is the room below, in bytes */
    struct list link;         /* [M] in mm.vmas, by address */
    uint64_t start, end;      /* [M] page aligned, end excluded */
    uint32_t flags;           /* [M] VM_* */
    uint32_t cuts;            /* [M, S] how many of source.cuts its leaves have been through */
    struct vm_source *source; /* [M] NULL: anonymous */
    uint64_t source_page;     /* [M] the source's page number at start */
    struct list source_link;  /* [S] in source.vmas */
    struct mm *mm;            /* [S] whose it is, while it is in that list */
    struct vm_pager *pager;   /* [M] with VM_PAGED; else NULL */
};

static inline bool vma_is_shstk(const struct vma *vma) { return vma->flags & VM_SHADOW_STACK; }
static inline int vma_leaf_level(const struct vma *vma)
{
    return vma->flags & VM_HUGE_1G ? 3 : vma->flags & VM_HUGE_2M ? 2 : 1;
}
/* Does the leaf of this level that translates va lie inside vma? */
static inline bool vma_holds_leaf(const struct vma *vma, uint64_t va, int level)
{
    uint64_t start = align_down(va, level_bytes(level));
    return vma->start <= start && start + level_bytes(level) <= vma->end;
}

/* [M] lock for writing  [A] atomic  [I] fixed at creation */
struct mm {
    struct frame *root;  /* [I] the level-4 table; its entries by its table lock */
    struct arch_mm arch; /* where it runs */
    struct rwlock lock;
    struct list vmas;        /* [M] by address */
    struct tree vma_tree;    /* [M] the same, to find one, or room, without going through all */
    struct vma *hint;        /* [A] where vma_find() looked last */
    uint32_t vma_count;      /* [M] */
    uint64_t brk_start, brk; /* [M] the heap, brk not aligned */
    struct frame *spare;     /* [M] tables set aside (mm/table/table.h); NULL between two calls */
    struct vm_pager *pagers; /* by a lock of pager.c: those that may provide pages */
    bool shares;             /* [M] it may share tables with others (mm/table/share.h) */
    uint32_t users;          /* [A] tasks that run it, and other holders */
};

/* What a process may have, in bytes: of a growing stack, of all mappings, and of private writable
 * ones. Whoever runs has these limits (kernel/ sets the function); by default there are none. */
struct mm_limits {
    uint64_t stack, space, data;
};
extern struct mm_limits (*mm_limits)(void);

/* ---- Life (mm/mm.c) ----------------------------------------------------- */

/* Once at start, after frame_init_high(): the zero page. */
void mm_init(void);
/* An empty address space with one user, or NULL when memory is out. */
MUST_CHECK struct mm *mm_create(void);
void mm_hold(struct mm *mm);
/* Take a use unless the last one has just ended. False: it has. */
MUST_CHECK bool mm_try_hold(struct mm *mm);
/* The last mm_put() checks the invariant, unmaps everything and frees the address space. No CPU
 * runs it by then. */
void mm_put(struct mm *mm);
/* Run it on this CPU from now on; NULL: none, this CPU is idle. */
void mm_activate(struct mm *mm);
/* Frames that its leaves map, PROT_NONE ones included. Takes mm.lock for writing, and looks at
 * every table; without shared only at its own: then the end of mm looks at no fewer. */
uint64_t mm_resident(struct mm *mm, bool shared);

/* ---- Fork (mm/fork.c) --------------------------------------------------- */

/* What fork shares at once; programs cannot tell. Either way the rest follows when it is needed. */
enum fork_way {
    FORK_AUTO,   /* leaves where there are few, else tables */
    FORK_LEAVES, /* every leaf: the tables are the child's own from the start */
    FORK_TABLES, /* whole tables: no leaf is touched */
};

/*
 * A copy of parent with one user: data and shadow stacks shared copy-on-write and copy-on-access.
 * 0, or -ENOMEM with nothing left allocated, and nothing changed that the parent's program can see.
 * Takes parent->lock for writing; flushes the parent's TLB once.
 */
MUST_CHECK int mm_fork(struct mm *parent, enum fork_way way, struct mm **child);

/* ---- Mappings (mm/vma/mmap.c, mm/vma/protect.c). All take mm.lock for writing. -- */

/*
 * A range may have any length. Work on a long range is done in steps. Between two steps nothing is
 * locked: other tasks may use the address space, and see what has been done so far. breathe, unless
 * NULL, is called there.
 */
typedef void (*mm_breathe)(void);

struct map_request {
    uint64_t start;           /* a hint, or the address when fixed */
    uint64_t len;             /* bytes, rounded up to pages (of the leaf size) */
    uint32_t flags;           /* VM_* */
    bool fixed;               /* exactly there, replacing what is there */
    bool no_replace;          /* with fixed: -EEXIST rather than replace */
    uint64_t low, high;       /* unless fixed: the range to place it in; 0: no limit */
    struct vm_source *source; /* NULL: anonymous; mm holds it for itself */
    uint64_t source_page;
};
/*
 * 0 with the address in *start; -EINVAL (also where VM_GROWSDOWN or VM_HUGE_* is asked of anything
 * but private anonymous memory, or both), -EPERM (fixed below USER_START), -ENOMEM (address space,
 * memory, or VMAS_MAX), -EEXIST. Nothing changes on failure.
 */
MUST_CHECK int mm_map(struct mm *mm, const struct map_request *request, uint64_t *start);
/*
 * As munmap(2): -EINVAL (alignment, part of a huge leaf), -ENOMEM (a VMA had to be split); nothing
 * changes then, unless others changed the range between two steps.
 */
MUST_CHECK int mm_unmap(struct mm *mm, uint64_t start, uint64_t len, mm_breathe breathe);
/*
 * As mprotect(2): prot is of VM_READ|VM_WRITE|VM_EXEC; -ENOMEM for a hole or out of memory, -EINVAL
 * (VM_EXEC for a shadow stack), -EACCES (VM_WRITE_DENIED). What lies before the first hole, or the
 * first mapping that refuses, has been protected even so. On other failures as mm_unmap().
 */
MUST_CHECK int mm_protect(struct mm *mm, uint64_t start, uint64_t len, uint32_t prot,
                          mm_breathe breathe);
/*
 * madvise(MADV_DONTNEED): drop the pages, keep the VMAs. -EINVAL, or -ENOMEM for a hole; everything
 * else that is mapped has been dropped even so. -EAGAIN: memory for page tables ran out, and a part
 * of the range is as it was.
 */
MUST_CHECK int mm_discard(struct mm *mm, uint64_t start, uint64_t len, mm_breathe breathe);
/*
 * The rest of madvise(2): set and clear flags of VM_DONTFORK and VM_WIPEONFORK in all VMAs of the
 * range. -ENOMEM for a hole, though it has been done to all else, or out of memory; -EINVAL
 * (alignment, part of a huge leaf, or private: not private anonymous memory). Nothing changes on
 * failure but for a hole.
 */
MUST_CHECK int mm_advise(struct mm *mm, uint64_t start, uint64_t len, uint32_t set, uint32_t clear,
                         bool private);
/*
 * As mremap(2), with its flags: may_move, and to is fixed, or a hint; keep: the old place stays
 * mapped, without its pages (then fixed says whether to must be it, and old_len is new_len).
 * old_len 0: the pages of a shared mapping, a second time. 0 with the address in *at; -EINVAL
 * (alignment, overlap, a part of a huge leaf, a huge mapping that is to grow), -EFAULT (not one
 * VMA), -EPERM, -ENOMEM. Nothing changes on failure, but for mm_unmap()'s where only the end is
 * cut off. Leaves move with all their state, in a single step.
 */
struct remap_request {
    uint64_t start, old_len, new_len, to; /* the lengths are rounded up to leaves */
    bool may_move, fixed, keep;
};
MUST_CHECK int mm_remap(struct mm *mm, const struct remap_request *request, mm_breathe breathe,
                        uint64_t *at);
/* Start the heap at start. */
void mm_brk_init(struct mm *mm, uint64_t start);
/* As Linux's brk(): returns the new break, or the old one when the new one is impossible. */
uint64_t mm_brk(struct mm *mm, uint64_t brk, mm_breathe breathe);

/* ---- Sources (mm/vma/source.c) ---------------------------------------------- */

/* Called once, before the source is mapped. Its functions are set already. */
void vm_source_init(struct vm_source *source);
/*
 * From now on the source ends before page number page; frame() refuses later pages already. Drop
 * every leaf behind that end, in all address spaces, private copies included. Takes the mm.lock of
 * each for writing; no spinlock is held. One cut of a source at a time.
 */
void vm_source_cut(struct vm_source *source, uint64_t page);

/* ---- Pagers (mm/vma/pager.c) ------------------------------------------------- */

/* pager, which is new, is mm's from now on. mm has a user. */
void mm_pager_begin(struct mm *mm, struct vm_pager *pager);
/* Forget it: all that it was asked for becomes ordinary. No lock is held. */
void mm_pager_end(struct vm_pager *pager);
/* Its address space with one more user, or NULL: it has ended. */
MUST_CHECK struct mm *mm_pager_hold(struct vm_pager *pager);
/*
 * Ask pager for what is missing in [start, end) from now on; or, without add, nobody any more. Page
 * aligned, user addresses. 0, -EBUSY (another pager's), -EINVAL (nothing mapped, or anything but
 * private anonymous memory in small leaves), -ENOMEM.
 */
MUST_CHECK int mm_pager_set(struct mm *mm, uint64_t start, uint64_t end, struct vm_pager *pager,
                            bool add);
/*
 * What the VMA of all of [va, end) needs a page of: *kind is that of its frames. 0, or -ENOENT: no
 * VMA of a pager contains the range.
 */
MUST_CHECK int mm_pager_kind(struct mm *mm, uint64_t va, uint64_t end, enum frame_kind *kind);
/*
 * Put frame, of that kind, at va: a page that its program has modified. NULL: the zero page. The
 * reference is mm's then. 0, -ENOENT (as above, or the kind is another now), -EEXIST, -ENOMEM.
 */
MUST_CHECK int mm_pager_fill(struct mm *mm, uint64_t va, uint64_t end, struct frame *frame);
/*
 * Call use on the pager of the page at va, if that is missing; false: it is not, or has no pager.
 * The page is not filled before use returns. mm.lock is held for reading and a table locked.
 */
bool mm_missing(struct mm *mm, uint64_t va, void (*use)(struct vm_pager *, void *), void *context);
/*
 * Wait until va, which is missing in mm, may have been provided: true. False: it will not be, for
 * the kernel. kernel/ sets the function; by default nobody waits. No lock is held.
 */
extern bool (*mm_missing_wait)(struct mm *mm, uint64_t va, bool write);

/* ---- Shadow stacks (mm/vma/shstk.c) ----------------------------------------- */

/*
 * Map a shadow stack of bytes (rounded up to pages) with unmapped guard pages at both ends. address
 * 0: anywhere, else exactly there and nothing may be in the way (-EEXIST). with_token puts a
 * restore token in the top 8 of bytes, a multiple of 8 then (Intel SDM vol. 1, "Shadow-Stack
 * Restore Token"): (top) | 1. huge: 2 MiB leaves, bytes and address multiples of that. 0 with the
 * lowest address in *start; -EINVAL, -EPERM, -ENOMEM, -EEXIST. mm need not be running.
 */
MUST_CHECK int mm_map_shstk(struct mm *mm, uint64_t address, uint64_t bytes, bool with_token,
                            bool huge, uint64_t *start);

/* ---- Access from outside (mm/gup.c) ------------------------------------- */

#define GUP_WRITE 1u
/* access as a debugger: a private page may be read and written whatever its VMA says */
#define GUP_FORCE 2u

/* What to do with the frame behind an address, at offset; 0 or a negative errno. It must not
 * wait. */
typedef int (*gup_use)(struct frame *frame, size_t offset, void *context);
/*
 * Call use on the frame behind va while its table and mm are locked. May wait for a pager before.
 * No fork or fault shares, copies or replaces the frame meanwhile, so a store lands in the page
 * that mm has. Returns what use returned, -EFAULT or -ENOMEM.
 */
MUST_CHECK int mm_gup_with(struct mm *mm, uint64_t va, unsigned flags, gup_use use, void *context);
/*
 * The frame behind va, faulted in (and copied, for GUP_WRITE) as an access of this kind would, with
 * a reference of the caller's. Not for GUP_FORCE: forced accesses move bytes, by mm_access(). 0,
 * -EFAULT, -ENOMEM. mm need not be running.
 */
MUST_CHECK int mm_gup(struct mm *mm, uint64_t va, unsigned flags, struct frame **frame);
/*
 * Set the word at va, 4-byte aligned, to new if it still is *old, as a store of mm's own program
 * would. 0 when done, -EAGAIN with the word's value in *old, or as mm_gup(). No fork comes in
 * between.
 */
MUST_CHECK int mm_cmpxchg(struct mm *mm, uint64_t va, uint32_t *old, uint32_t new);
/*
 * Copy between buffer, which is the kernel's, and mm's memory through gup; returns bytes done, or a
 * negative errno when none were. A forced write to a read-only private page leaves its entry W=0,
 * COW=1: state (b).
 */
MUST_CHECK long mm_access(struct mm *mm, uint64_t va, void *buffer, size_t len, unsigned flags);

/* ---- Looking (mm/inspect.c) --------------------------------------------- */

/* One leaf entry and what it means. */
struct leaf_info {
    uint64_t va;
    int level; /* 1: 4 KiB, 2: 2 MiB, 3: 1 GiB */
    pte_t pte;
    char state; /* w r a b c d e n !, see docs/book/02-paging.md */
    uint64_t pfn;
    uint32_t refs; /* of the first frame */
    /* the highest level whose entry has W=0, and how many entries point to the table below it; 0
     * and 0: none, the path is own */
    int shared_level;
    uint32_t sharers;
};
/* The first leaf at or above va; false when there is none. Takes mm.lock for reading. */
MUST_CHECK bool mm_next_leaf(struct mm *mm, uint64_t va, struct leaf_info *leaf);

/*
 * As mincore(2): is_there[i] becomes 1 if page i from va on is in memory, else 0. Returns how many
 * of count pages it went through; fewer: there is a hole. Takes mm.lock for reading.
 */
size_t mm_in_core(struct mm *mm, uint64_t va, size_t count, uint8_t *is_there);

/* Copy the first VMA that ends above va into *copy; false when there is none. A source in it is
 * not held. */
MUST_CHECK bool mm_next_vma(struct mm *mm, uint64_t va, struct vma *copy, char *name,
                            size_t name_bytes);

/*
 * The walker: look at every leaf for a broken invariant, repair what can be repaired (state (e): D
 * moves to COW), count and log each. Returns how many it found. Runs at exit, at fork and on
 * request (/proc/check). The total since boot: mm_check_total().
 */
unsigned mm_check(struct mm *mm);
uint64_t mm_check_total(void);

#endif
