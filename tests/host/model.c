/* SPDX-License-Identifier: MIT */
/* The rules of the model: what each right means, by docs/design.md and Linux. */
#include "model.h"

#include "uapi/errno.h"

uint64_t model_file[FILE_PAGES], model_file_pages = FILE_PAGES;

uint64_t cell_va(unsigned index)
{
    static const uint64_t within_leaf[LEAF_CELLS] = { 0, 5 * PAGE_SIZE, 511 * PAGE_SIZE };
    if (index < SMALL_CELLS)
        return SMALL_BASE + index * PAGE_SIZE;
    if (index >= MIXED_FIRST)
        return MIXED_BASE + (index - MIXED_FIRST) * MIXED_BYTES;
    index -= SMALL_CELLS;
    return HUGE_BASE + index / LEAF_CELLS * level_bytes(2) + within_leaf[index % LEAF_CELLS];
}

static bool beyond_file(const struct cell *cell)
{
    return cell->backing != ANONYMOUS && cell->file_page >= model_file_pages;
}

uint64_t cell_value(const struct cell *cell)
{
    if (cell->own)
        return cell->value;
    return cell->backing == ANONYMOUS ? 0 : model_file[cell->file_page];
}

void cell_store(struct cell *cell, uint64_t value)
{
    if (cell->backing == FILE_SHARED) {
        model_file[cell->file_page] = value;
        return;
    }
    cell->own = true;
    cell->value = value;
}

void model_grow(struct model *model, unsigned index)
{
    struct cell *cell = model->cell;
    bool small = index < SMALL_CELLS;
    unsigned low = small ? 0 : MIXED_FIRST, high = small ? SMALL_CELLS : CELLS, above = index;
    if (cell[index].mapped || (!small && index < MIXED_FIRST))
        return;
    while (above < high && !cell[above].mapped)
        above++;
    if (above == high || !(cell[above].flags & VM_GROWSDOWN))
        return;
    for (unsigned below = index; below-- > low;) { /* no mapping may lie in the 1 MiB below */
        if (cell[below].mapped)
            return;
        if (!small)
            break;
    }
    for (unsigned i = index; i < above; i++)
        cell[i] = (struct cell){ true, cell[above].flags, ANONYMOUS, 0, false, 0 };
}

/* Is this cell inside a 2 MiB leaf, not at its start? */
static bool inside_leaf(const struct model *model, unsigned index)
{
    return index > MIXED_FIRST && index < CELLS && (index - MIXED_FIRST) % 2
           && model->cell[index].mapped && model->cell[index].flags & VM_HUGE_2M;
}

bool model_cuts_leaf(const struct model *model, unsigned first, unsigned count)
{
    return inside_leaf(model, first) || inside_leaf(model, first + count);
}

void model_cut(struct model *model)
{
    for (unsigned i = 0; i < CELLS; i++) {
        struct cell *cell = &model->cell[i];
        if (cell->backing != ANONYMOUS && cell->file_page >= model_file_pages)
            cell->own = false;
    }
}

enum fault_outcome cell_access(const struct cell *cell, enum cpu_access access)
{
    bool shstk = cell->flags & VM_SHADOW_STACK;
    if (!cell->mapped)
        return FAULT_BAD_NO_VMA;
    if (access == CPU_SHSTK_LOAD || access == CPU_SHSTK_STORE) {
        if (!shstk)
            return FAULT_BAD_SHSTK_ACCESS;
        return cell->flags & VM_WRITE ? FAULT_OK_SPURIOUS : FAULT_BAD_PROTECTION;
    }
    if (access == CPU_FETCH && !(cell->flags & VM_EXEC))
        return FAULT_BAD_FETCH;
    if (access == CPU_STORE && shstk)
        return FAULT_BAD_SHSTK_STORE;
    if (access == CPU_STORE ? !(cell->flags & VM_WRITE) : !(cell->flags & VM_PROT))
        return FAULT_BAD_PROTECTION;
    return beyond_file(cell) ? FAULT_BAD_BEYOND_FILE : FAULT_OK_SPURIOUS;
}

int cell_gup(const struct cell *cell, unsigned flags)
{
    bool force = flags & GUP_FORCE, allowed;
    if (!cell->mapped)
        return -EFAULT;
    if (!(flags & GUP_WRITE))
        allowed = cell->flags & VM_PROT || force;
    else if (cell->flags & VM_WRITE && !(cell->flags & VM_SHADOW_STACK))
        allowed = true;
    else
        allowed = force && cell->backing != FILE_SHARED;
    return allowed && !beyond_file(cell) ? 0 : -EFAULT;
}
