/* SPDX-License-Identifier: MIT */
/*
 * The dirty race. A round, with mm.lock held as fork holds it and the entry's table locked:
 *
 *   1. The entry becomes W=1,D=0, and no TLB holds it any more.
 *   2. The other CPU stores, so its page walker looks at the entry and sets D. Meanwhile, at a
 *      time chosen so that the two meet, this CPU clears W and looks at the entry: W=0,D=1 must
 *      not be there.
 *   3. The other CPUs' TLBs are flushed. No store through the old entry can follow, and this CPU
 * looks again.
 *   4. What is broken is repaired. The other CPU's next store faults and makes the page writable.
 *
 * The word that the other CPU increments tells whether that CPU has stored, whatever the entry
 * says.
 *
 * In place of a real CPU's page walker another CPU can play one in software, as careless as the
 * oldest were: it reads W=1, and some time later sets D. Like a CPU it takes no locks, and no
 * interrupt comes in between.
 */
#include "mm/race.h"

#include "base/panic.h"
#include "mm/planted.h"
#include "mm/table/check.h"
#include "mm/table/share.h"
#include "mm/vma/vma.h"
#include "uapi/errno.h"

#define AIM_MAX_CYCLES 200000ull /* how long to wait for the other CPU's walk, at most */
#define WALK_CYCLES    4000ull   /* how long a walk in software takes, at most */
#define LATE_CYCLES    500ull    /* how long to look for late stores */
/* what one call may take: nothing stops the task that makes it */
#define WHOLE_NS       10000000000ull
#define ABSENT_NS      200000000ull /* the other CPU has gone */

/* The race being run. [R] who made busy true */
static struct race {
    bool busy;     /* atomic */
    int pid;       /* [R] */
    struct mm *mm; /* [R] */
    /* [R] from the clean entry to the clearing of W: so that every other store comes first */
    uint64_t aim_cycles;
    uint64_t seed;             /* [R] */
    struct race_result result; /* [R] but for what the walker counts: played, in_time, atomic */
} race;

/* Where the walker in software finds the entry, NULL between rounds. All atomic. */
static pte_t *walk_entry;
static uint64_t *walk_word; /* the page's first word, to store to */
static bool walk_begun;     /* in this round */
static uint32_t walking;    /* CPUs that may be using walk_entry */

/* xorshift: no pattern with which the other CPU could fall into step. */
static uint64_t random_below(uint64_t *seed, uint64_t limit)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (*seed >> 11) % limit;
}

static void wait_cycles(uint64_t cycles)
{
    for (uint64_t start = arch_cycles(); arch_cycles() - start < cycles;) {}
}

/* ---- The walker in software: the other CPU ------------------------------ */

/* A store's walk through *entry; false when there is none to make, since W=0 faults and D=1
 * needs nothing. */
static bool walk(pte_t *entry, uint64_t *seed)
{
    pte_t pte = { __atomic_load_n(&entry->raw, __ATOMIC_SEQ_CST) };
    if (!pte_hw_write(pte) || pte_hw_dirty(pte))
        return false;
    __atomic_store_n(&walk_begun, true, __ATOMIC_SEQ_CST);
    wait_cycles(random_below(seed, WALK_CYCLES));
    pte_t found = { arch_entry_or(&entry->raw, PTE_D) };
    __atomic_add_fetch(walk_word, 1, __ATOMIC_SEQ_CST);
    uint64_t *count = pte_hw_write(found) ? &race.result.in_time : &race.result.played;
    __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST);
    return true;
}

void mm_race_walk(struct mm *mm)
{
    uint64_t seed = arch_cycles() | 1, give_up = arch_clock_ns() + ABSENT_NS;
    while (arch_clock_ns() < give_up) {
        uint64_t irq = arch_irq_save();
        __atomic_add_fetch(&walking, 1, __ATOMIC_SEQ_CST);
        pte_t *entry = __atomic_load_n(&walk_entry, __ATOMIC_SEQ_CST);
        if (entry && race.mm == mm && walk(entry, &seed))
            give_up = arch_clock_ns() + ABSENT_NS;
        __atomic_sub_fetch(&walking, 1, __ATOMIC_SEQ_CST);
        arch_irq_restore(irq);
        arch_pause();
    }
}

/* Hand the entry to the walker, and wait until it has read it; false when none comes. */
static bool walker_begin(const struct slot *slot, uint64_t *word)
{
    uint64_t give_up = arch_clock_ns() + ABSENT_NS;
    walk_begun = false;
    walk_word = word;
    __atomic_store_n(&walk_entry, slot->entry, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&walk_begun, __ATOMIC_SEQ_CST)) {
        if (arch_clock_ns() > give_up)
            return false;
        arch_pause();
    }
    return true;
}

static void walker_end(void)
{
    __atomic_store_n(&walk_entry, NULL, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&walking, __ATOMIC_SEQ_CST))
        arch_pause();
}

/* ---- A round: this CPU -------------------------------------------------- */

static bool page_fits(const struct vma *vma, const struct slot *slot)
{
    leaf_t leaf = slot_leaf(slot);
    const struct frame *frame = leaf_first(leaf);
    return slot_is_own(slot) && (vma->flags & (VM_WRITE | VM_SHARED | VM_SHADOW_STACK)) == VM_WRITE
           && leaf.level == 1 && pte_present(leaf.pte) && frame->kind == FRAME_ANON
           && frame_refs(frame) == 1;
}

/* Flush the entry from every TLB, whatever is due. */
static void entry_flush(const struct slot *slot, struct flush *flush)
{
    flush->start = slot->va;
    flush->end = slot->va + PAGE_SIZE;
    flush_end(flush);
}

static void entry_make_clean(const struct slot *slot, const struct vma *vma, struct flush *flush)
{
    pte_t old;
    do {
        old = slot_read(slot);
    } while (!slot_set(slot, vma, old, pte_mkclean(pte_mkwrite(old)), TRACE_PROBE, flush));
    if (planted_clean_flush(true))
        entry_flush(slot, flush);
    else
        flush_begin(flush, flush->mm); /* forget that one is due */
}

/* Clear W, between cycles after the entry is read. False: CMPXCHG found another value, and
 * nothing is changed. */
static bool entry_clear_write(const struct slot *slot, const struct vma *vma, enum race_way way,
                              uint64_t between_cycles, struct flush *flush)
{
    pte_t old = slot_read(slot), new = pte_wrprotect(old);
    if (between_cycles)
        wait_cycles(between_cycles);
    if (way == RACE_CMPXCHG)
        return slot_set(slot, vma, old, new, TRACE_PROBE, flush);
    if (way == RACE_PLAIN_STORE)
        arch_entry_store(&slot->entry->raw, new.raw);
    else
        (void)arch_entry_and(&slot->entry->raw, ~PTE_W);
    return true;
}

/* D moves to COW. The first one of each race is logged; all are counted. */
static void entry_repair(const struct slot *slot, const struct vma *vma, struct flush *flush)
{
    const struct race_result *result = &race.result;
    pte_t pte = slot_read(slot);
    if (result->patterns_before + result->patterns_after == 1)
        check_report(slot, vma_is_shstk(vma), pte);
    else
        check_count();
    while (!slot_set(slot, vma, pte, pte_wrprotect(pte), TRACE_REPAIR, flush))
        pte = slot_read(slot);
    entry_flush(slot, flush);
}

/* The walk and the clearing meet where about every other store comes first, so look for that
 * place. */
static void aim(bool stored)
{
    uint64_t step = race.aim_cycles / 32 + 1;
    race.aim_cycles = stored ? race.aim_cycles - step
                             : min_u64(race.aim_cycles + step, AIM_MAX_CYCLES);
    race.aim_cycles = max_u64(race.aim_cycles, 8);
}

/* Steps 1 to 4 on an entry whose table and mm are locked. False: no walker came. */
static bool round_run(const struct slot *slot, const struct vma *vma, enum race_way way,
                      bool software)
{
    struct race_result *result = &race.result;
    struct flush flush;
    uint64_t *word = frame_va(leaf_first(slot_leaf(slot)));
    flush_begin(&flush, race.mm);
    entry_make_clean(slot, vma, &flush);
    uint64_t before = __atomic_load_n(word, __ATOMIC_SEQ_CST), between_cycles = 0;
    if (!software)
        wait_cycles(race.aim_cycles / 2 + random_below(&race.seed, race.aim_cycles));
    else if (walker_begin(slot, word))
        between_cycles = random_below(&race.seed, WALK_CYCLES / 2) + 1;
    else
        return false;
    while (!entry_clear_write(slot, vma, way, between_cycles, &flush))
        result->retries++;
    pte_t first = slot_read(slot);
    entry_flush(slot, &flush);
    pte_t then = slot_read(slot);
    uint64_t after = __atomic_load_n(word, __ATOMIC_SEQ_CST);

    bool stored = after != before || pte_dirty(first);
    result->stores += stored;
    result->patterns_before += pte_shstk(first);
    result->patterns_after += pte_shstk(then) && !pte_shstk(first);
    result->lost += after != before && !pte_dirty(then);
    if (pte_shstk(then))
        entry_repair(slot, vma, &flush);
    wait_cycles(LATE_CYCLES);
    result->late += __atomic_load_n(word, __ATOMIC_SEQ_CST) != after;
    aim(stored);
    return true;
}

/* One round; 0, -EINVAL, or -EAGAIN when the other CPU does not play. */
static int round_lock(struct mm *mm, uint64_t va, enum race_way way, bool software)
{
    struct slot slot;
    uint64_t next;
    int err = -EINVAL;
    write_lock(&mm->lock);
    const struct vma *vma = vma_find(mm, va);
    if (vma && vma_contains(vma, va) && tables_own(mm, va, va + PAGE_SIZE) == 0
        && slot_find(mm, va, &slot, &next)) {
        if (page_fits(vma, &slot))
            err = round_run(&slot, vma, way, software) ? 0 : -EAGAIN;
        walker_end();
        slot_release(&slot);
    }
    write_unlock(&mm->lock);
    return err;
}

/* Wait until the other CPU has stored again, so that its next walk finds it in full run; false
 * when it does not. */
static bool store_awaited(uint64_t va)
{
    uint64_t first, now, give_up = arch_clock_ns() + ABSENT_NS;
    if (arch_copy_from_user(&first, uaddr(va), sizeof(first)))
        return false;
    while (arch_clock_ns() < give_up) {
        if (arch_copy_from_user(&now, uaddr(va), sizeof(now)))
            return false;
        if (now != first)
            return true;
        arch_pause();
    }
    return false;
}

int mm_race(struct mm *mm, uint64_t va, uint64_t rounds, enum race_way way, bool software)
{
    if (rounds > RACE_ROUNDS_MAX)
        return -EINVAL;
    if (__atomic_exchange_n(&race.busy, true, __ATOMIC_ACQUIRE))
        return -EBUSY;
    race.pid = arch_current_pid();
    race.mm = mm;
    race.seed = arch_cycles() | 1;
    race.aim_cycles = max_u64(race.aim_cycles, 8);
    race.result = (struct race_result){ 0 };
    va = align_down(va, PAGE_SIZE);
    uint64_t give_up = arch_clock_ns() + WHOLE_NS;
    int err = 0;
    while (!err && race.result.rounds < rounds && arch_clock_ns() < give_up
           && (software || store_awaited(va))) {
        err = round_lock(mm, va, way, software);
        race.result.rounds += !err;
    }
    __atomic_store_n(&race.busy, false, __ATOMIC_RELEASE);
    return err == -EAGAIN ? 0 : err;
}

bool mm_race_result(struct race_result *result, int *pid)
{
    if (__atomic_exchange_n(&race.busy, true, __ATOMIC_ACQUIRE))
        return false;
    *result = race.result;
    *pid = race.pid;
    __atomic_store_n(&race.busy, false, __ATOMIC_RELEASE);
    return true;
}
