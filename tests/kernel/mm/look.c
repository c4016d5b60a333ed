/* SPDX-License-Identifier: MIT */
/* Reading what pages mean. */
#include "tests/kernel/mm/look.h"

#include "base/panic.h"
#include "base/string.h"
#include "mm/table/span.h"
#include "mm/vma/vma.h"

/* ---- What a page means -------------------------------------------------- */

static uint64_t leaf_value(const struct vma *vma, pte_t pte, bool upper_w)
{
    uint64_t value = pte_pfn(pte) << PAGE_SHIFT;
    value |= (uint64_t)(vma->flags & (VM_PROT | VM_SHARED)) << MAY_SHIFT;
    value |= (vma_is_shstk(vma) ? SHSTK : 0)
             | (vma->flags & (VM_DONTFORK | VM_WIPEONFORK) ? WITHHELD : 0)
             | (pte_dirty(pte) ? MODIFIED : 0);
    if (pte_present(pte))
        value |= CPU_READ | (upper_w && pte_hw_write(pte) ? CPU_STORE : 0)
                 | (upper_w && pte_shstk(pte) ? CPU_SHSTK : 0) | (pte_exec(pte) ? CPU_FETCH : 0);
    return value;
}

/* Does the CPU allow no more than the VMA does? */
static bool value_is_sound(uint64_t value)
{
    return !(value & CPU_STORE && (value & SHSTK || !(value & MAY_WRITE)))
           && !(value & CPU_SHSTK && !(value & SHSTK && value & MAY_WRITE))
           && !(value & CPU_FETCH && !(value & MAY_FETCH))
           && !(value & CPU_READ && !(value & MAY_ALL));
}

struct text value_text(uint64_t value)
{
    struct text text = { "nothing" };
    if (value)
        snprintf(text.bytes, sizeof(text.bytes), "frame %#lx, CPU %s%s%s%s, program %s%s%s%s%s%s",
                 value >> PAGE_SHIFT, value & CPU_READ ? "r" : "-", value & CPU_STORE ? "w" : "-",
                 value & CPU_FETCH ? "x" : "-", value & CPU_SHSTK ? "s" : "-",
                 value & (VM_READ << MAY_SHIFT) ? "r" : "-", value & MAY_WRITE ? "w" : "-",
                 value & MAY_FETCH ? "x" : "-", value & SHARED ? " shared" : "",
                 value & SHSTK ? " shadow stack" : "", value & MODIFIED ? " modified" : "");
    return text;
}

/* ---- Looking ------------------------------------------------------------ */

static void run_add(struct look *look, struct view *view, uint64_t va, uint64_t bytes,
                    uint64_t value)
{
    struct run *last = view->count ? &view->runs[view->count - 1] : NULL;
    if (last && last->va + last->bytes == va && last->value + last->bytes == value) {
        last->bytes += bytes;
        return;
    }
    view->runs[view->count++] = (struct run){ va, bytes, value };
    look->run_count++;
}

/* The part [from, to) of a leaf. False, and the view ends there, when there is no room for it. */
static bool leaf_look(struct look *look, struct view *view, uint64_t from, uint64_t to,
                      const struct slot *slot, bool upper_w)
{
    pte_t pte = slot_read(slot);
    if (view->leaves++ == LOOK_LEAVES || look->run_count == LOOK_RUNS) {
        view->to = from;
        return false;
    }
    if (!view->vma || view->vma->end <= from)
        view->vma = vma_find(view->mm, from);
    if (!view->vma || !vma_holds_leaf(view->vma, from, slot->level))
        oracle_complain(view->mm, from, 0, pte.raw & PTE_PFN_MASK, "has a leaf without a VMA");
    uint64_t value = leaf_value(view->vma, pte, upper_w) + (from - slot->va);
    if (!value_is_sound(value))
        oracle_complain(view->mm, from, 0, value, "is open to what the VMA forbids");
    run_add(look, view, from, to - from, value);
    return true;
}

static bool table_look(struct look *look, struct view *view, uint64_t from, uint64_t to,
                       struct frame *table, int level, bool upper_w)
{
    struct span span;
    pte_t pte;
    bool room = true;
    span_begin(&span, table, level, true, from, to);
    while (room && span_next(&span, &pte)) {
        if (pte_is_table(pte, level))
            room = table_look(look, view, span_from(&span), span_to(&span), entry_table(pte),
                              level - 1, upper_w && pte_hw_write(pte));
        else
            room = leaf_look(look, view, span_from(&span), span_to(&span), &span.at, upper_w);
    }
    return room;
}

struct view *view_look(struct look *look, struct mm *mm, uint64_t from, uint64_t to)
{
    ASSERT(look->view_count < LOOK_VIEWS);
    struct view *view = &look->views[look->view_count++];
    *view = (struct view){ mm, from, to, NULL, look->runs + look->run_count, 0, 0 };
    if (from < to)
        (void)table_look(look, view, from, to, mm->root, ROOT_LEVEL, true);
    return view;
}

uint64_t view_value(const struct view *view, unsigned *at, uint64_t va, uint64_t *stop)
{
    while (*at < view->count && run_end(&view->runs[*at]) <= va)
        ++*at;
    const struct run *run = &view->runs[*at];
    if (*at == view->count)
        return 0;
    *stop = min_u64(*stop, va < run->va ? run->va : run_end(run));
    return va < run->va ? 0 : run->value + (va - run->va);
}

uint64_t page_value(struct mm *mm, uint64_t va, int *level)
{
    struct slot slot;
    uint64_t next, write = CPU_STORE | CPU_SHSTK;
    if (!slot_find(mm, va, &slot, &next))
        return 0;
    uint64_t value = leaf_value(vma_find(mm, va), slot_read(&slot), true);
    value += align_down(va - slot.va, PAGE_SIZE);
    if (!slot_is_own(&slot))
        value &= ~write;
    *level = slot.level;
    slot_release(&slot);
    return value;
}

uint64_t page_sum(uint64_t value)
{
    const uint64_t *words = frame_va(pfn_to_frame(value >> PAGE_SHIFT));
    uint64_t sum = 0;
    for (size_t i = 0; i < PAGE_SIZE / sizeof(*words); i++)
        sum = (sum ^ words[i]) * 0x100000001b3ull;
    return sum;
}
