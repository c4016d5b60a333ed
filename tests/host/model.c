/* SPDX-License-Identifier: MIT */
/* The rules of the model: the meaning of rights, as design and Linux state them. */
#include "model.h"

#include "uapi/errno.h"

uint64_t model_file[FILE_PAGES];

uint64_t cell_va(unsigned index)
{
    static const uint64_t within_leaf[LEAF_CELLS] = { 0, 5 * PAGE_SIZE, 511 * PAGE_SIZE };
    if (index < SMALL_CELLS)
        return SMALL_BASE + index * PAGE_SIZE;
    index -= SMALL_CELLS;
    return HUGE_BASE + index / LEAF_CELLS * level_bytes(2) + within_leaf[index % LEAF_CELLS];
}

static bool beyond_file(const struct cell *cell)
{
    return cell->backing != ANONYMOUS && !cell->own && cell->file_page >= FILE_PAGES;
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
