/* SPDX-License-Identifier: MIT */
/* What address spaces mean, before and after a call, held against what the call promises: oracle.h.
 */
#include "mm/oracle.h"

#include "base/panic.h"
#include "mm/vma/vma.h"
#include "tests/kernel/mm/look.h"

/* ---- The call ----------------------------------------------------------- */

enum kind { BEGIN, FORK, FAULT, UNMAP, PROTECT, MOVE, EXIT };
static const char *const kind_names[] = { "begin",   "fork", "fault", "unmap",
                                          "protect", "move", "exit" };

static struct call {
    bool open; /* it has begun */
    enum kind kind;
    struct mm *mm, *child;
    uint64_t start, end; /* the pages that it may change */
    uint64_t to;         /* move: where start goes */
    uint64_t rights;     /* protect: MAY_* from now on */
    uint64_t value, sum; /* fault: of the page, before */
} call;
static struct look before, after;

NORETURN void oracle_complain(const struct mm *mm, uint64_t va, uint64_t old, uint64_t new,
                              const char *why)
{
    panic("oracle: %s of [%#lx, %#lx): %#lx in %s address space %s\n  before: %s\n  after:  %s",
          kind_names[call.kind], call.start, call.end, va,
          mm == call.mm      ? "its own"
          : mm == call.child ? "the child's"
                             : "another",
          why, value_text(old).bytes, value_text(new).bytes);
}

/* ---- Judging ------------------------------------------------------------ */

/* Is this what the call promises of a page? For the child, old is the parent's. */
static bool is_promised(const struct mm *mm, uint64_t va, uint64_t old, uint64_t new)
{
    const uint64_t cpu = CPU_ALL, moved = PTE_PFN_MASK | CPU_ALL | MODIFIED;
    if (mm == call.child)
        return old & WITHHELD ? !new : ((old ^ new) & ~cpu) == 0;
    if (mm != call.mm)
        return old == new;
    if (va < call.start || va >= call.end)
        return ((old ^ new) & ~cpu) == 0;
    switch (call.kind) {
    case FAULT: return new && (!old || ((old ^ new) & ~moved) == 0);
    case PROTECT: return ((old ^ new) & ~(cpu | MAY_ALL)) == 0 && (MAY_ALL & new) == call.rights;
    default: return !new;
    }
}

/*
 * A move: what page va of the call's address space shall be, when it was value. *stop is lowered to
 * where that ends. False: unknown, because nobody looked at the page that has moved there.
 */
static bool value_after_move(uint64_t va, uint64_t *value, uint64_t *stop)
{
    uint64_t to_end = call.to + (call.end - call.start), back = call.start - call.to;
    if (va < call.to)
        *stop = min_u64(*stop, call.to);
    if (va < call.to || va >= to_end)
        return true; /* what the old range loses, is_promised() says */
    *stop = min_u64(*stop, to_end);
    for (unsigned i = 0; i < before.view_count; i++) {
        const struct view *old = &before.views[i];
        if (old->mm != call.mm || va + back < old->from || va + back >= old->to)
            continue;
        uint64_t old_stop = min_u64(old->to, *stop + back);
        unsigned at = 0;
        *value = view_value(old, &at, va + back, &old_stop);
        *stop = old_stop - back;
        return true;
    }
    *stop = va + PAGE_SIZE;
    return false;
}

static void views_compare(const struct view *old, const struct view *new)
{
    unsigned old_at = 0, new_at = 0;
    for (uint64_t va = old->from, stop; va < min_u64(old->to, new->to); va = stop) {
        stop = min_u64(old->to, new->to);
        if (va < call.end)
            stop = min_u64(stop, va < call.start ? call.start : call.end);
        uint64_t was = view_value(old, &old_at, va, &stop),
                 is = view_value(new, &new_at, va, &stop);
        if (call.kind == MOVE && new->mm == call.mm && !value_after_move(va, &was, &stop))
            continue;
        is &= was | ~(uint64_t)MODIFIED; /* the CPU may set D meanwhile */
        if ((was || is) && !is_promised(new->mm, va, was, is))
            oracle_complain(new->mm, va, was, is, "is not as promised");
    }
}

/* By frames. */
static void runs_sort(struct run *runs, unsigned count)
{
    for (unsigned gap = count / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (unsigned i = gap; i < count; i++) {
            struct run run = runs[i];
            unsigned at = i;
            for (; at >= gap && run_frame(&runs[at - gap]) > run_frame(&run); at -= gap)
                runs[at] = runs[at - gap];
            runs[at] = run;
        }
    }
}

/* A private page that the CPU lets somebody change must be the only one with its frame. Spoils the
 * views. */
static void owners_check(struct look *look)
{
    static const struct run none;
    const struct run *all = &none, *owned = &none; /* of those so far, what reaches furthest */
    runs_sort(look->runs, look->run_count);
    for (const struct run *run = look->runs; run < look->runs + look->run_count; run++) {
        bool changes = value_changes(run->value);
        const struct run *other = changes ? all : owned;
        if (run_frame(run) < run_frame(other) + other->bytes)
            panic("oracle: %s: a private page that can be written is mapped twice\n"
                  "  at %#lx: %s\n  at %#lx: %s",
                  kind_names[call.kind], other->va, value_text(other->value).bytes, run->va,
                  value_text(run->value).bytes);
        if (run_frame(run) + run->bytes > run_frame(all) + all->bytes)
            all = run;
        if (changes)
            owned = run;
    }
}

/* ---- Calls -------------------------------------------------------------- */

#define NEAR_BYTES (LOOK_LEAVES / 4 * PAGE_SIZE) /* looked at below the address of a call */

static bool on; /* oracle=1 */
static struct mm *spaces[LOOK_SPACES];

/* Nothing else may run. */
static bool is_watching(void)
{
    uint64_t cpus = arch_cpus_online();
    return on && (cpus & (cpus - 1)) == 0;
}

static void space_replace(struct mm *old, struct mm *new)
{
    for (unsigned i = 0; i < LOOK_SPACES; i++) {
        if (spaces[i] == old) {
            spaces[i] = new;
            return;
        }
    }
}

bool oracle_start(void) { return on = true; }
void oracle_add(struct mm *mm)
{
    if (is_watching())
        space_replace(NULL, mm);
}
void oracle_remove(struct mm *mm)
{
    if (is_watching())
        space_replace(mm, NULL);
}

static void space_look(struct mm *mm, uint64_t near)
{
    view_look(&before, mm, near, USER_END);
    view_look(&before, mm, 0, near);
}

void oracle_begin(struct mm *mm, uint64_t va)
{
    if (!is_watching())
        return;
    uint64_t page = align_down(va, PAGE_SIZE), near = page - min_u64(page, NEAR_BYTES);
    int level;
    call = (struct call){ .open = true, .mm = mm };
    call.value = page_value(mm, va, &level);
    call.sum = call.value ? page_sum(call.value) : 0;
    before.view_count = before.run_count = 0;
    space_look(mm, near);
    for (unsigned i = 0; i < LOOK_SPACES; i++) {
        if (spaces[i] && spaces[i] != mm)
            space_look(spaces[i], near);
    }
}

/* The call has ended: compare everybody, and after a fork the child with its parent. */
static void call_end(enum kind kind, uint64_t start, uint64_t end, bool forked)
{
    call.open = false;
    call.kind = kind;
    call.start = start;
    call.end = end;
    after.view_count = after.run_count = 0;
    for (unsigned i = 0; i < before.view_count; i++) {
        const struct view *old = &before.views[i];
        if (kind == EXIT && old->mm == call.mm)
            continue; /* its VMAs are gone, and its root must be empty to be freed */
        if (old->mm != call.child)
            views_compare(old, view_look(&after, old->mm, old->from, old->to));
        if (forked && old->mm == call.mm)
            views_compare(old, view_look(&after, call.child, old->from, old->to));
    }
    owners_check(&after);
}

void oracle_fork(struct mm *child, bool done)
{
    if (!call.open)
        return;
    call.child = child;
    call_end(FORK, 0, 0, done);
}

void oracle_fault(const struct vma *vma, uint64_t va, bool own, enum fault_outcome outcome)
{
    if (!call.open)
        return;
    int level = 1;
    uint64_t value = page_value(call.mm, va, &level), start = align_down(va, level_bytes(level));
    bool done = fault_resolved(outcome) && outcome != FAULT_OK_SPLIT;
    call_end(FAULT, start, done ? start + level_bytes(level) : start, false);
    if (!done)
        return;
    uint64_t allowed = !own ? CPU_READ : vma_is_shstk(vma) ? CPU_SHSTK : CPU_STORE;
    if (!(vma->flags & (own ? VM_WRITE : VM_PROT)))
        allowed = 0; /* a debugger's access */
    if (!value || (value & allowed) != allowed)
        oracle_complain(call.mm, va, call.value, value, "does not allow the access");
    if ((call.value || !vma->source) && page_sum(value) != call.sum)
        oracle_complain(call.mm, va, call.value, value, "has other contents");
}

void oracle_unmap(uint64_t start, uint64_t end)
{
    if (call.open)
        call_end(UNMAP, start, end, false);
}

void oracle_protect(uint64_t start, uint64_t end, uint32_t prot)
{
    if (!call.open)
        return;
    call.rights = (uint64_t)prot << MAY_SHIFT;
    call_end(PROTECT, start, end, false);
}

void oracle_move(uint64_t start, uint64_t end, uint64_t to)
{
    if (!call.open)
        return;
    call.to = to;
    call_end(MOVE, start, end, false);
}

void oracle_exit(void)
{
    if (call.open)
        call_end(EXIT, 0, USER_END, false);
}
