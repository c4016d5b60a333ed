/* SPDX-License-Identifier: MIT */
/* Proves: a pager may end while the last user of its address space does. */
#include <stdlib.h>

static struct vm_pager *pager;

/* The other CPU closes the last descriptor, and frees what it led to. */
static void other_closes(enum moment moment)
{
    (void)moment;
    if (pager)
        mm_pager_end(pager);
    free(pager);
    pager = NULL;
}

static bool ends_together(void)
{
    struct mm *mm = mm_create();
    pager = malloc(sizeof(*pager));
    if (!mm || !pager)
        return false;
    mm_pager_begin(mm, pager);
    fake_interlude = other_closes; /* at the flush, when mm has no user any more */
    mm_put(mm);
    fake_interlude = NULL;
    return !pager;
}

int main(void)
{
    fake_start(8ull << 20);
    plan(1);
    result("a_pager_may_end_with_its_memory", ends_together());
    return suite_status();
}
