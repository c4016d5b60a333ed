/* SPDX-License-Identifier: MIT */
/* The first half: leaves that are shared one by one. Fork, copy on access and copy on write. */
#include <fcntl.h>
#include <unistd.h>

#include "subject.h"

static volatile uint64_t data_page[512] __attribute__((aligned(4096)));
static const uint64_t constant_page[512] __attribute__((aligned(4096))) = { 1 };

static void data_make(void) { data_page[0] = 1; }

bool story_leaves_start(void) { return subject_start(data_make, "leaves"); }

void story_fresh(void)
{
    step("A shadow-stack page of the subject's own");
    if (skip())
        return;
    struct pte pte = pte_of(parent, ssp);
    expect("parent (c): W=0 D=1, the hardware's sign of a shadow stack, one reference");
    saw_pte("parent", &pte);
    must(pte.state == 'c' && pte.refs == 1 && !pte.w && pte.d && !pte.cow);
    step_end();
}

void story_fork(void)
{
    struct pte before = pte_of(parent, ssp);
    step("fork shares it: both lose D, COW remembers it");
    must(child_start(CHILD));
    if (skip())
        return;
    struct pte p = pte_of(parent, ssp), c = pte_of(child, ssp);
    expect("parent and child (d): W=0 D=0 COW=1, the same frame 0x%lx, two references", before.pfn);
    saw_pte("parent", &p);
    saw_pte("child", &c);
    must(p.state == 'd' && c.state == 'd' && p.pfn == before.pfn && c.pfn == before.pfn
         && p.refs == 2);
    step_end();
}

void story_data_shared(void)
{
    step("fork shares a written data page the same way");
    struct pte p = pte_of(parent, (uint64_t)data_page), c = pte_of(child, (uint64_t)data_page);
    expect("parent and child (a): W=0 D=0 COW=1, the same frame, two references");
    saw_pte("parent", &p);
    saw_pte("child", &c);
    must(p.state == 'a' && c.state == 'a' && p.pfn == c.pfn && p.refs == 2);
    step_end();
}

void story_child_returns(void)
{
    uint64_t value = 0;
    struct pte before = pte_of(child, ssp);
    step("The child executes one RET: it only reads, and still needs its own copy");
    bool came_back = ask(CHILD, DO_RETURN, 0, &value) && value == 0x600d;
    if (skip()) {
        must(came_back);
        return;
    }
    struct pte p = pte_of(parent, ssp), c = pte_of(child, ssp);
    expect("child (c) in another frame than 0x%lx; parent still (d), now the only one", before.pfn);
    saw_pte("child", &c);
    saw_pte("parent", &p);
    printf("    saw     %s\n",
           came_back ? "child returned to where it was called from" : "child did not come back");
    must(came_back && c.state == 'c' && c.pfn != before.pfn && c.refs == 1);
    must(p.state == 'd' && p.pfn == before.pfn && p.refs == 1);
    step_end();
}

void story_parent_returns(void)
{
    uint64_t value = 0;
    struct pte before = pte_of(parent, ssp);
    step("The parent executes the same RET: the last owner needs no copy");
    bool came_back = ask(PARENT, DO_RETURN, 0, &value) && value == 0x600d;
    if (skip()) {
        must(came_back);
        return;
    }
    struct pte p = pte_of(parent, ssp);
    expect("parent (c) in the frame it had, 0x%lx", before.pfn);
    saw_pte("parent", &p);
    printf("    saw     %s\n",
           came_back ? "parent returned to where it was called from" : "parent did not come back");
    must(came_back && p.state == 'c' && p.pfn == before.pfn && p.refs == 1);
    step_end();
}

void story_data_copied(void)
{
    uint64_t value = 0;
    struct pte before = pte_of(child, (uint64_t)data_page);
    step("The child stores to the data page: copy on write");
    must(ask(CHILD, DO_STORE, (uint64_t)data_page, &value) && value == 2);
    struct pte p = pte_of(parent, (uint64_t)data_page), c = pte_of(child, (uint64_t)data_page);
    expect("child (w) in another frame; parent still (a), now the only one");
    saw_pte("child", &c);
    saw_pte("parent", &p);
    must(c.state == 'w' && c.pfn != before.pfn && p.state == 'a' && p.pfn == before.pfn
         && p.refs == 1);
    step_end();
}

void story_data_reused(void)
{
    uint64_t value = 0;
    struct pte before = pte_of(parent, (uint64_t)data_page);
    step("The parent stores: the last owner needs no copy");
    must(ask(PARENT, DO_STORE, (uint64_t)data_page, &value) && value == 2);
    struct pte p = pte_of(parent, (uint64_t)data_page);
    expect("parent (w): W=1 D=1 in the frame it had, 0x%lx", before.pfn);
    saw_pte("parent", &p);
    must(p.state == 'w' && p.w && p.d && p.pfn == before.pfn && p.refs == 1);
    step_end();
}

void story_debugger(void)
{
    char path[64];
    uint64_t value = 42;
    step("A debugger writes to a read-only page of the child");
    (void)*(volatile const uint64_t *)constant_page;
    snprintf(path, sizeof(path), "/proc/%d/mem", child);
    int fd = open(path, O_RDWR);
    must(fd >= 0 && pwrite(fd, &value, sizeof(value), (off_t)constant_page) == sizeof(value));
    if (fd >= 0)
        close(fd);
    struct pte c = pte_of(child, (uint64_t)constant_page),
               own = pte_of(getpid(), (uint64_t)constant_page);
    expect("child (b): W=0 COW=1, a copy that stays read-only; the observer's page unchanged, (r)");
    saw_pte("child", &c);
    saw_pte("own", &own);
    must(c.state == 'b' && !c.w && c.cow && own.state == 'r' && own.pfn != c.pfn
         && constant_page[0] == 1);
    step_end();
}
