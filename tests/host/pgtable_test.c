/* SPDX-License-Identifier: MIT */
/*
 * Proves: every page-table-entry helper does to every combination of flag bits what the block in
 * pgtable.h says; no sequence of up to three helpers makes W=0,D=1 but through
 * mkwrite_shstk; and a change that takes something away asks for a flush.
 */
#include "arch/x86/pgtable.h"
#include "fake.h"

/* All bits that any helper reads or writes, and one neighbour that none may touch. */
static const uint64_t flag_bits[] = { PTE_P,  PTE_W, PTE_U,   PTE_A,  PTE_D,
                                      PTE_PS, PTE_G, PTE_COW, PTE_NX, 1ull << 52 };
#define COMBINATIONS (1u << ARRAY_SIZE(flag_bits))
#define SOME_PFN     0x12345ull

static uint64_t combination(unsigned index)
{
    uint64_t raw = SOME_PFN << PAGE_SHIFT;
    for (size_t i = 0; i < ARRAY_SIZE(flag_bits); i++)
        raw |= index >> i & 1 ? flag_bits[i] : 0;
    return raw;
}

static const pgprot_t prots[] = {
    PGPROT_USER_NONE, PGPROT_USER_R,   PGPROT_USER_RX,   PGPROT_USER_RW,
    PGPROT_USER_RWX,  PGPROT_KERNEL_R, PGPROT_KERNEL_RW,
};

/* ---- The helpers as functions on raw values ----------------------------- */

enum {
    WRPROTECT,
    MKCOW,
    CLEAR_COW,
    MKWRITE,
    MKWRITE_SHSTK,
    MKDIRTY,
    MKCLEAN,
    MKYOUNG,
    MKOLD,
    MODIFY,
    PLANTED = MODIFY + 7
};
static const char *const helper_names[] = { "wrprotect",     "mkcow",   "clear_cow", "mkwrite",
                                            "mkwrite_shstk", "mkdirty", "mkclean",   "mkyoung",
                                            "mkold",         "modify" };

static uint64_t helper_apply(int helper, uint64_t raw)
{
    pte_t pte = { raw };
    switch (helper) {
    case WRPROTECT: return pte_wrprotect(pte).raw;
    case MKCOW: return pte_mkcow(pte).raw;
    case CLEAR_COW: return pte_clear_cow(pte).raw;
    case MKWRITE: return pte_mkwrite(pte).raw;
    case MKWRITE_SHSTK: return pte_mkwrite_shstk(pte).raw;
    case MKDIRTY: return pte_mkdirty(pte).raw;
    case MKCLEAN: return pte_mkclean(pte).raw;
    case MKYOUNG: return pte_mkyoung(pte).raw;
    case MKOLD: return pte_mkold(pte).raw;
    default: return pte_modify(pte, prots[helper - MODIFY]).raw;
    }
}

static unsigned predicates(uint64_t raw)
{
    pte_t pte = { raw };
    return pte_none(pte) | pte_present(pte) << 1 | pte_protnone(pte) << 2 | pte_hw_write(pte) << 3
           | pte_hw_dirty(pte) << 4 | pte_cow(pte) << 5 | pte_young(pte) << 6 | pte_exec(pte) << 7
           | pte_shstk(pte) << 8 | pte_write(pte) << 9 | pte_dirty(pte) << 10
           | (pte_pfn(pte) == SOME_PFN) << 11 | pte_same(pte, pte) << 12
           | pte_same(pte, (pte_t){ raw ^ PTE_A }) << 13;
}

/* The planted defect: a wrprotect that clears W and leaves D, as one locked AND would. */
static bool planted;
static uint64_t apply(int helper, uint64_t raw)
{
    return planted && helper == WRPROTECT ? raw & ~PTE_W : helper_apply(helper, raw);
}

/* ---- What the block in the header promises, written a second time, bit by bit ---- */

static bool looks_shstk(uint64_t raw) { return !(raw & PTE_W) && raw & PTE_D; }

/* W, D and COW after a helper, computed from those before. *others: the other bits that the helper
 * may change. */
static uint64_t promised(int helper, uint64_t raw)
{
    bool w = raw & PTE_W;
    bool d = raw & PTE_D;
    bool cow = raw & PTE_COW;
    uint64_t rest = raw & ~(PTE_W | PTE_D | PTE_COW);
    bool dirty = d || cow;
    switch (helper) {
    case WRPROTECT: w = false, d = false, cow = dirty; break;
    case MKCOW: w = false, d = false, cow = true; break;
    case CLEAR_COW: d = d || (w && cow), cow = false; break;
    case MKWRITE: w = true, d = dirty, cow = false; break;
    case MKWRITE_SHSTK: w = false, d = true, cow = false; break;
    case MKDIRTY: cow = cow || (!w && !d), d = d || w; break;
    case MKCLEAN: d = false, cow = false; break;
    case MKYOUNG: rest |= PTE_A; break;
    case MKOLD: rest &= ~PTE_A; break;
    default: {
        uint64_t prot = prots[helper - MODIFY].raw;
        rest = (rest & ~PGPROT_MASK) | (prot & PGPROT_MASK & ~PTE_W);
        w = prot & PTE_W;
        d = w && dirty, cow = !w && dirty;
    }
    }
    return rest | (w ? PTE_W : 0) | (d ? PTE_D : 0) | (cow ? PTE_COW : 0);
}

static bool one_helper_does_as_promised(void)
{
    for (int helper = 0; helper < PLANTED; helper++) {
        for (unsigned i = 0; i < COMBINATIONS; i++) {
            uint64_t raw = combination(i), saw = apply(helper, raw);
            if (saw != promised(helper, raw))
                return diagnose("pte_%s(%#lx) = %#lx, expect %#lx",
                                helper_names[helper < MODIFY ? helper : MODIFY], (unsigned long)raw,
                                (unsigned long)saw, (unsigned long)promised(helper, raw));
        }
    }
    return true;
}

static bool predicates_say_what_the_bits_say(void)
{
    for (unsigned i = 0; i < COMBINATIONS; i++) {
        uint64_t raw = combination(i);
        bool p = raw & PTE_P;
        bool w = raw & PTE_W;
        bool d = raw & PTE_D;
        bool cow = raw & PTE_COW;
        bool shstk = !w && d;
        unsigned expect = (raw == 0) | p << 1 | (!p && raw & PTE_NONE) << 2 | w << 3 | d << 4
                          | cow << 5 | !!(raw & PTE_A) << 6 | !(raw & PTE_NX) << 7 | shstk << 8
                          | (w || shstk) << 9 | (d || cow) << 10 | 1 << 11 | 1 << 12;
        if (predicates(raw) != expect)
            return diagnose("predicates of %#lx: %#x, expect %#x", (unsigned long)raw,
                            predicates(raw), expect);
    }
    return true;
}

/* Only mkwrite_shstk may make W=0,D=1 out of a value without it, whatever helpers came before. */
static bool no_sequence_makes_a_shadow_stack(void)
{
    for (unsigned i = 0; i < COMBINATIONS; i++) {
        for (int sequence = 0; sequence < PLANTED * PLANTED * PLANTED; sequence++) {
            int helper[3] = { sequence % PLANTED, sequence / PLANTED % PLANTED,
                              sequence / PLANTED / PLANTED };
            uint64_t raw = combination(i);
            for (int step = 0; step < 3; step++) {
                uint64_t next = apply(helper[step], raw);
                if (!looks_shstk(raw) && looks_shstk(next) && helper[step] != MKWRITE_SHSTK)
                    return diagnose("helper %d makes %#lx from %#lx", helper[step],
                                    (unsigned long)next, (unsigned long)raw);
                raw = next;
            }
        }
    }
    return true;
}

/* pte_check() agrees with the table for every W, D, COW and NX, in a VMA of either kind and in a
 * kernel leaf. */
static bool check_accepts_exactly_the_table(void)
{
    for (unsigned i = 0; i < 16; i++) {
        bool w = i & 1;
        bool d = i & 2;
        bool cow = i & 4;
        bool nx = i & 8;
        pte_t pte = { SOME_PFN << PAGE_SHIFT | PTE_P | PTE_U | (w ? PTE_W : 0) | (d ? PTE_D : 0)
                      | (cow ? PTE_COW : 0) | (nx ? PTE_NX : 0) };
        bool data = (w && !cow) || (!w && !d), stack = nx && !w && !(d && cow),
             kernel = !cow && (w ? nx : !d);
        if (pte_check(pte, false) != data || pte_check(pte, true) != stack
            || pte_check_kernel(pte) != kernel)
            return diagnose("W%d D%d COW%d NX%d", w, d, cow, nx);
    }
    return pte_check((pte_t){ 0 }, false) && pte_check((pte_t){ 0 }, true);
}

static bool made_entries_name_their_frame(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(prots); i++) {
        pte_t pte = mk_pte(SOME_PFN, prots[i]);
        if (pte_pfn(pte) != SOME_PFN || pte_dirty(pte) || (pte.raw & PTE_PS)
            || mk_leaf(SOME_PFN, prots[i], 1).raw != pte.raw
            || mk_leaf(SOME_PFN, prots[i], 2).raw != (pte.raw | PTE_PS)
            || mk_leaf(SOME_PFN, prots[i], 3).raw != (pte.raw | PTE_PS))
            return diagnose("protection %#lx", (unsigned long)prots[i].raw);
    }
    pte_t table = pte_mktable(SOME_PFN, true);
    return pte_hw_write(table) && pte_is_table(table, 2) && !pte_is_table(table, 1)
           && !pte_is_leaf(table, 4) && pte_is_leaf(mk_leaf(SOME_PFN, prots[1], 3), 3);
}

/* A flush is due when the page, W, the shadow stack, A or D of the old entry is gone, and when NX
 * changes; not when other rights only grow. */
static bool flushes_follow_lost_rights(void)
{
    for (unsigned i = 0; i < COMBINATIONS; i++) {
        for (unsigned j = 0; j < COMBINATIONS; j++) {
            pte_t old = { combination(i) }, new = { combination(j) },
                  moved = { new.raw + PAGE_SIZE };
            bool expect =
                pte_present(old)
                && (!pte_present(new) || (pte_hw_write(old) && !pte_hw_write(new))
                    || (pte_shstk(old) && !pte_shstk(new)) || (pte_young(old) && !pte_young(new))
                    || (pte_hw_dirty(old) && !pte_hw_dirty(new)) || pte_exec(old) != pte_exec(new));
            if (pte_needs_flush(old, new) != expect
                || pte_needs_flush(old, moved) != pte_present(old))
                return diagnose("%#lx to %#lx: expect %d", (unsigned long)old.raw,
                                (unsigned long)new.raw, expect);
        }
    }
    return true;
}

/* The test must fail on a wrprotect that leaves D. */
static bool planted_defect_is_caught(bool (*test)(void))
{
    planted = true;
    quiet = true;
    bool passed = test();
    planted = quiet = false;
    return !passed;
}

int main(void)
{
    plan(8);
    result("pgtable_each_helper_does_as_promised", one_helper_does_as_promised());
    result("pgtable_each_helper_does_as_promised notices the planted defect",
           planted_defect_is_caught(one_helper_does_as_promised));
    result("pgtable_predicates_say_what_the_bits_say", predicates_say_what_the_bits_say());
    result("pgtable_no_sequence_makes_a_shadow_stack", no_sequence_makes_a_shadow_stack());
    result("pgtable_no_sequence_makes_a_shadow_stack notices the planted defect",
           planted_defect_is_caught(no_sequence_makes_a_shadow_stack));
    result("pgtable_check_accepts_exactly_the_table", check_accepts_exactly_the_table());
    result("pgtable_made_entries_name_their_frame", made_entries_name_their_frame());
    result("pgtable_flushes_follow_lost_rights", flushes_follow_lost_rights());
    return suite_status();
}
