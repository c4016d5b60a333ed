/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries: the bits, what "writable" and "dirty" mean, and every helper that may touch a
 * raw entry.
 *
 * Entries are values: a helper takes one and returns a new one; only the setter in mm/table/table.c
 * stores it. The bits mean the same at every level, and the level of an entry is known only where
 * the tables are walked. So one type, pte_t, serves all levels; what a leaf maps depends on its
 * level as well, and leaf_t holds both.
 */
#ifndef ARCH_X86_PGTABLE_H
#define ARCH_X86_PGTABLE_H

#include "base/types.h"

/* ---- Bits of an entry (Intel SDM vol. 3, "4-Level Paging", and "CR4.CET and shadow-stack pages")
 * ---- */

#define PTE_P       (1ull << 0) /* present */
#define PTE_W_BIT   1
#define PTE_W       (1ull << PTE_W_BIT) /* the hardware's Write */
#define PTE_U       (1ull << 2)         /* user */
#define PTE_PWT     (1ull << 3)
#define PTE_PCD     (1ull << 4)
#define PTE_A       (1ull << 5) /* accessed, set by the CPU */
#define PTE_D_BIT   6
/* the hardware's Dirty, set by the CPU on a store through W=1 */
#define PTE_D       (1ull << PTE_D_BIT)
#define PTE_PS      (1ull << 7) /* a leaf above the lowest level; PAT at the lowest */
#define PTE_PAT_4K  (1ull << 7)
#define PTE_G       (1ull << 8) /* global; this kernel: kernel leaves only */
/* with P=0: PROT_NONE, the frame is kept. The CPU ignores it there */
#define PTE_NONE    (1ull << 8)
#define PTE_COW_BIT 58
#define PTE_COW     (1ull << PTE_COW_BIT) /* _PAGE_COW: Dirty, remembered while W=0 */
#define PTE_NX      (1ull << 63)

#define _PAGE_COW PTE_COW /* the name the field knows it by */

#define PTE_PFN_MASK  0x000ffffffffff000ull
/* What this kernel may still give a meaning to: bits 9-11 and 52-57. 59-62 are the protection
 * key. */
#define PTE_SOFT_FREE (7ull << 9 | 0x3full << 52)
#define PTE_PKEY_MASK (0xfull << 59)

_Static_assert((PTE_COW & (PTE_PFN_MASK | PTE_PKEY_MASK | PTE_NX | PTE_SOFT_FREE)) == 0,
               "COW has a bit of its own");
_Static_assert((PTE_PFN_MASK | PTE_SOFT_FREE | PTE_COW | PTE_PKEY_MASK | PTE_NX | 0x1ffull)
                   == ~0ull,
               "every bit of an entry is accounted for");
_Static_assert(PTE_W_BIT == 1 && PTE_D_BIT == 6, "Write and Dirty are where the manual puts them");

#define PT_ENTRIES (1 << PT_INDEX_BITS)

/*
 * What the bits of a present leaf entry mean in this kernel
 *
 * Writable, pte_write(): a store, or for a shadow stack a CALL, may change the page without a
 * fault. Hardware-writable, pte_hw_write(), is W=1. CR0.WP is always 1, so this binds the kernel as
 * well.
 *
 * Dirty, pte_dirty(): the page holds something its backing does not. It is recorded in D while W=1,
 * and in COW while W=0, because W=0,D=1 is how the CPU recognises a shadow stack (an owned shadow
 * stack alone keeps D with W=0). One word, two places: code that means the hardware bit says so by
 * name, pte_hw_dirty().
 *
 *    W D COW   what it is                          ordinary store        shadow-stack access
 *    1 x  0    private data                        succeeds              fault, refuse
 *    0 0  0    clean, read-only                    fault, by VMA (*)     fault, by VMA (*)
 *    0 0  1    modified and shared, or modified    fault, by VMA (*)     fault, by VMA (*)
 *              for a debugger in a read-only VMA
 *    0 1  0    shadow stack, owned                 fault, refuse         succeeds
 *    all other combinations are bugs: pte_check() finds them, the setter in mm/table/table.c panics
 *
 * (*) The VMA says what the page may become again, because the entry no longer can: copy, reuse or
 * refuse.
 *
 * Copy on access: once a shadow stack is shared, even RET, which only reads it, faults. Plain loads
 * do not. With W=0 in an entry above the leaf all of this is refused, whatever the leaf says.
 *
 * A PROT_NONE entry has P=0 and PTE_NONE=1 and keeps frame, COW, NX and A; the CPU looks at none of
 * its bits.
 *
 * No helper but pte_mkwrite_shstk() turns a value without W=0,D=1 into one with it. Of the others,
 * applied to an owned shadow stack, pte_mkyoung(), pte_mkold() and pte_mkdirty() keep it;
 * pte_wrprotect(), pte_mkcow() and pte_modify() make it COW; pte_mkclean() and pte_clear_cow() (on
 * COW) leave neither bit; pte_mkwrite() makes it ordinary memory.
 */
typedef struct {
    uint64_t raw;
} pte_t; /* of any level: a leaf, or (pte_is_table()) a pointer to a table of the level below */

/* Access rights of a mapping, the bits pte_modify() replaces. Never D or COW. */
typedef struct {
    uint64_t raw;
} pgprot_t;
#define PGPROT_MASK (PTE_P | PTE_W | PTE_U | PTE_PWT | PTE_PCD | PTE_G | PTE_NX)

#define PGPROT_USER_NONE ((pgprot_t){ PTE_NONE | PTE_U | PTE_NX })
#define PGPROT_USER_R    ((pgprot_t){ PTE_P | PTE_U | PTE_NX })
#define PGPROT_USER_RX   ((pgprot_t){ PTE_P | PTE_U })
#define PGPROT_USER_RW   ((pgprot_t){ PTE_P | PTE_U | PTE_W | PTE_NX })
#define PGPROT_USER_RWX  ((pgprot_t){ PTE_P | PTE_U | PTE_W })
#define PGPROT_KERNEL_R  ((pgprot_t){ PTE_P | PTE_G | PTE_NX })
#define PGPROT_KERNEL_RX ((pgprot_t){ PTE_P | PTE_G })
#define PGPROT_KERNEL_RW ((pgprot_t){ PTE_P | PTE_W | PTE_G | PTE_NX })

/* ---- What an entry says ------------------------------------------------- */

static inline bool pte_none(pte_t pte) { return pte.raw == 0; }
static inline bool pte_present(pte_t pte) { return pte.raw & PTE_P; }
/* A frame is kept, but nobody may touch it. */
static inline bool pte_protnone(pte_t pte) { return (pte.raw & (PTE_P | PTE_NONE)) == PTE_NONE; }
static inline bool pte_hw_write(pte_t pte) { return pte.raw & PTE_W; }
static inline bool pte_hw_dirty(pte_t pte) { return pte.raw & PTE_D; }
static inline bool pte_cow(pte_t pte) { return pte.raw & PTE_COW; }
static inline bool pte_young(pte_t pte) { return pte.raw & PTE_A; }
static inline bool pte_exec(pte_t pte) { return !(pte.raw & PTE_NX); }
/* The CPU takes the page for a shadow stack: W=0,D=1. */
static inline bool pte_shstk(pte_t pte) { return (pte.raw & (PTE_W | PTE_D)) == PTE_D; }
static inline bool pte_write(pte_t pte) { return pte_hw_write(pte) || pte_shstk(pte); }
static inline bool pte_dirty(pte_t pte) { return pte.raw & (PTE_D | PTE_COW); }
static inline bool pte_same(pte_t a, pte_t b) { return a.raw == b.raw; }
static inline uint64_t pte_pfn(pte_t pte) { return (pte.raw & PTE_PFN_MASK) >> PAGE_SHIFT; }

/* ---- Values made from values -------------------------------------------- */

/* Take W away. D moves to COW in the same value, unconditionally: W=0,D=1 is never seen in
 * between. */
static inline pte_t pte_wrprotect(pte_t pte)
{
    uint64_t dirty = pte.raw >> PTE_D_BIT & 1;
    pte.raw &= ~(PTE_W | PTE_D);
    pte.raw |= dirty << PTE_COW_BIT;
    return pte;
}

/* Modified and shared: W=0, D=0, COW=1, whatever it was. */
static inline pte_t pte_mkcow(pte_t pte)
{
    pte.raw &= ~(PTE_W | PTE_D);
    pte.raw |= PTE_COW;
    return pte;
}

/*
 * Take COW away. With W=1 what it recorded goes back to D. With W=0 D cannot take it, so the page
 * counts as clean from here on: only for a caller who gives it a new meaning in the same change.
 */
static inline pte_t pte_clear_cow(pte_t pte)
{
    uint64_t to_dirty = pte.raw >> PTE_COW_BIT & pte.raw >> PTE_W_BIT & 1;
    pte.raw &= ~PTE_COW;
    pte.raw |= to_dirty << PTE_D_BIT;
    return pte;
}

/* Ordinary writable memory: W=1; what COW recorded goes back to D. */
static inline pte_t pte_mkwrite(pte_t pte)
{
    pte.raw |= PTE_W;
    return pte_clear_cow(pte);
}

/* An owned shadow stack: W=0, D=1, COW=0. The only way to make that pattern. */
static inline pte_t pte_mkwrite_shstk(pte_t pte)
{
    pte.raw &= ~(PTE_W | PTE_COW);
    pte.raw |= PTE_D;
    return pte;
}

/* Record a modification where it belongs: in D while W=1 or D is set already (a shadow stack),
 * else in COW. */
static inline pte_t pte_mkdirty(pte_t pte)
{
    pte.raw |= pte.raw & (PTE_W | PTE_D) ? PTE_D : PTE_COW;
    return pte;
}

/* Forget modifications. An owned shadow stack becomes clean and read-only. */
static inline pte_t pte_mkclean(pte_t pte)
{
    pte.raw &= ~(PTE_D | PTE_COW);
    return pte;
}

static inline pte_t pte_mkyoung(pte_t pte) { return (pte_t){ pte.raw | PTE_A }; }
static inline pte_t pte_mkold(pte_t pte) { return (pte_t){ pte.raw & ~PTE_A }; }

/*
 * Give the page other access rights; frame, A and the fact of being dirty stay. Where the new
 * rights lack W, D moves to COW (an owned shadow stack too: its next access makes it owned again);
 * where they have it, COW moves to D.
 */
static inline pte_t pte_modify(pte_t pte, pgprot_t prot)
{
    uint64_t kept = pte.raw & ~PGPROT_MASK;
    pte.raw = kept | (prot.raw & PGPROT_MASK);
    return pte_hw_write(pte) ? pte_clear_cow(pte) : pte_wrprotect(pte);
}

/*
 * May a TLB that holds old be wrong once the entry is new? An entry with P=0 is never cached.
 * Rights that only grow need no flush: the CPU that faults on the old ones drops them (Intel SDM
 * vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches"), and the fault handler
 * finds nothing left to do; NX that goes away, which is rare, is not told apart. A shadow stack
 * that gains W loses its right to shadow-stack accesses.
 */
static inline bool pte_needs_flush(pte_t old, pte_t new)
{
    uint64_t changed = old.raw ^ new.raw;
    uint64_t lost = changed & old.raw;
    if (!pte_present(old))
        return false;
    return lost & (PTE_P | PTE_W | PTE_A | PTE_D) || changed & (PTE_PFN_MASK | PTE_NX)
           || (pte_shstk(old) && changed & PTE_W);
}

static inline pte_t mk_pte(uint64_t pfn, pgprot_t prot)
{
    return (pte_t){ pfn << PAGE_SHIFT | prot.raw };
}

/* ---- Levels and tables -------------------------------------------------- */

/* Levels count from 1, the table of 4 KiB leaves, to 4, the root. Leaves exist at 1, 2 and 3. */
static inline unsigned level_order(int level) { return PT_INDEX_BITS * (unsigned)(level - 1); }
static inline unsigned level_shift(int level) { return PAGE_SHIFT + level_order(level); }
static inline uint64_t level_bytes(int level) { return 1ull << level_shift(level); }
static inline uint64_t level_frames(int level) { return 1ull << level_order(level); }
static inline unsigned level_index(uint64_t va, int level)
{
    return va >> level_shift(level) & (PT_ENTRIES - 1);
}

/*
 * An entry that points to the next table. With W=1 the leaves below decide. With W=0 the CPU takes
 * every page below for read-only, and refuses every shadow-stack access below as well: one bit is
 * enough to share a whole table between address spaces (mm/table/share.h).
 */
static inline pte_t pte_mktable(uint64_t pfn, bool user)
{
    return (pte_t){ pfn << PAGE_SHIFT | PTE_P | PTE_W | PTE_A | (user ? PTE_U : 0) };
}
static inline pte_t pte_table_share(pte_t pte) { return (pte_t){ pte.raw & ~PTE_W }; }
static inline pte_t pte_table_own(pte_t pte) { return (pte_t){ pte.raw | PTE_W }; }
static inline bool pte_is_table(pte_t pte, int level)
{
    return level > 1 && (pte.raw & (PTE_P | PTE_PS)) == PTE_P;
}
static inline bool pte_is_own_table(pte_t pte, int level)
{
    return level > 1 && (pte.raw & (PTE_P | PTE_PS | PTE_W)) == (PTE_P | PTE_W);
}
static inline bool pte_is_leaf(pte_t pte, int level)
{
    return !pte_none(pte) && !pte_is_table(pte, level);
}
/* The entry of a leaf of this level; pfn is a multiple of level_frames(level). */
static inline pte_t mk_leaf(uint64_t pfn, pgprot_t prot, int level)
{
    pte_t pte = mk_pte(pfn, prot);
    if (level > 1)
        pte.raw |= PTE_PS;
    return pte;
}

/* A leaf: an entry that maps memory, and its level, which says how much. */
typedef struct {
    pte_t pte;
    int level;
} leaf_t;
static inline uint64_t leaf_frames(leaf_t leaf) { return level_frames(leaf.level); }

/* ---- The invariant ------------------------------------------------------ */

/*
 * May a user leaf in a VMA that is (or is not) a shadow stack have this value? (1) W=0,D=1 only in
 * a shadow stack, (2) there never W=1 and always NX, and in no VMA COW with W or D.
 */
static inline bool pte_check(pte_t pte, bool in_shstk)
{
    if (pte_none(pte))
        return true;
    if (pte_cow(pte) && pte.raw & (PTE_W | PTE_D))
        return false;
    if (in_shstk)
        return !pte_hw_write(pte) && !pte_exec(pte);
    return !pte_shstk(pte);
}

/* (3) A kernel leaf never looks like a shadow stack, and is not both writable and executable. */
static inline bool pte_check_kernel(pte_t pte)
{
    return !pte_shstk(pte) && !pte_cow(pte) && !(pte_hw_write(pte) && pte_exec(pte));
}

#endif
