/* SPDX-License-Identifier: MIT */
/* What the text files of /proc say. */
#include "kernel/proc/proc_text.h"

#include "base/log.h"
#include "base/string.h"
#include "base/trace.h"
#include "base/words.h"
#include "kernel/cmdline.h"
#include "kernel/proc/dirtyrace.h"
#include "kernel/proc/text.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/watchdog.h"
#include "kernel/task/fork.h"
#include "kernel/task/process.h"
#include "kernel/task/task.h"
#include "kernel/task/usage.h"
#include "mm/fault.h"
#include "mm/phys/frame.h"
#include "mm/phys/kmap.h"
#include "mm/phys/slab.h"
#include "mm/race.h"
#include "uapi/errno.h"
#include "uapi/mman.h"

/* ---- Files of a process ------------------------------------------------- */

/* How much memory an entry of this level translates. */
static const char *level_name(int level)
{
    static const char *const names[] = { "?", "4K", "2M", "1G", "512G" };
    return names[level];
}

static bool next_pte(struct text *text, struct mm *mm, uint64_t *va)
{
    struct leaf_info leaf;
    if (!mm_next_leaf(mm, *va, &leaf))
        return false;
    text_printf(text, "0x%lx %s 0x%016lx %d %d %d %c 0x%lx %u %d %u\n", leaf.va,
                level_name(leaf.level), leaf.pte.raw, !!(leaf.pte.raw & PTE_W),
                !!(leaf.pte.raw & PTE_D), !!(leaf.pte.raw & PTE_COW), leaf.state, leaf.pfn,
                leaf.refs, leaf.shared_level, leaf.sharers);
    *va = leaf.va + level_bytes(leaf.level);
    return true;
}

static bool next_map(struct text *text, struct mm *mm, uint64_t *va)
{
    struct vma vma;
    char name[128];
    if (!mm_next_vma(mm, *va, &vma, name, sizeof(name)))
        return false;
    text_printf(text, "%08lx-%08lx %c%c%c%c %08lx 00:01 0 %26s%s\n", vma.start, vma.end,
                vma.flags & VM_READ ? 'r' : '-', vma.flags & VM_WRITE ? 'w' : '-',
                vma.flags & VM_EXEC ? 'x' : '-', vma.flags & VM_SHARED ? 's' : 'p',
                (vma.source_page << PAGE_SHIFT), "", name);
    *va = vma.end;
    return true;
}

static int parent_pid(const struct process *process)
{
    return __atomic_load_n(&process->parent_pid, __ATOMIC_RELAXED);
}

/* The name and shadow-stack features (enabled, locked) of the process's first task; false for a
 * zombie. */
static bool task_peek(struct process *process, char name[TASK_NAME_BYTES], uint64_t features[2])
{
    uint64_t irq = spin_lock_irq(&tasks_lock);
    bool alive = !list_empty(&process->threads);
    if (alive) {
        const struct task *task = process_task(process);
        spin_lock(&process->lock);
        memcpy(name, task->name, TASK_NAME_BYTES);
        spin_unlock(&process->lock);
        features[0] = __atomic_load_n(&task->shstk_features, __ATOMIC_RELAXED);
        features[1] = __atomic_load_n(&task->shstk_locked, __ATOMIC_RELAXED);
    }
    spin_unlock_irq(&tasks_lock, irq);
    return alive;
}

static void show_status(struct text *text, struct process *process, struct mm *mm)
{
    char name[TASK_NAME_BYTES] = "?";
    uint64_t features[2] = { 0, 0 };
    (void)task_peek(process, name, features);
    text_printf(text,
                "Name:\t%s\nState:\t%c\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\nUid:\t0\t0\t0\t0\nGid:"
                "\t0\t0\t0\t0\nVmRSS:\t%lu kB\nThreads:\t%u\n",
                name, process_state_letter(process), process->pid, process->pid,
                parent_pid(process), (mm ? mm_resident(mm, true) * 4 : 0),
                process_thread_count(process));
    for (int i = 0; i < 2; i++)
        text_printf(text, "x86_Thread_features%s: %s%s\n", i ? "_locked" : "",
                    features[i] & ARCH_SHSTK_SHSTK ? "shstk " : "",
                    features[i] & ARCH_SHSTK_WRSS ? "wrss " : "");
}

static void show_stat(struct text *text, struct process *process, struct mm *mm)
{
    char name[TASK_NAME_BYTES] = "?";
    uint64_t features[2];
    struct usage own = usage_of(process, RUSAGE_SELF);
    struct usage theirs = usage_of(process, RUSAGE_CHILDREN);
    (void)task_peek(process, name, features);
    text_printf(text, "%d (%s) %c %d %d %d 0 -1 0 %lu %lu 0 0 %lu %lu %lu %lu 20 0 %u 0 0 0 %lu\n",
                process->pid, name, process_state_letter(process), parent_pid(process),
                process->group, process->session, own.faults, theirs.faults, usage_ticks(own.user),
                usage_ticks(own.system), usage_ticks(theirs.user), usage_ticks(theirs.system),
                process_thread_count(process), (mm ? mm_resident(mm, true) : 0));
}

static void show_fork(struct text *text, struct process *process, struct mm *mm)
{
    text_printf(text, "%s\n", fork_way_name(__atomic_load_n(&process->fork_way, __ATOMIC_RELAXED)));
}

/* How the process, and its children from then on, share memory at fork. */
static long write_fork(struct process *process, const char *line)
{
    enum fork_way way;
    if (!fork_way_find(line, &way))
        return -EINVAL;
    __atomic_store_n(&process->fork_way, way, __ATOMIC_RELAXED);
    return 0;
}

static void show_cmdline_of(struct text *text, struct process *process, struct mm *mm)
{
    char path[sizeof(process->path)];
    process_path(process, path);
    text_printf(text, "%s%c", path, 0);
}

/* ---- Files of the kernel ------------------------------------------------ */

static void show_trace(struct text *text, struct process *process, struct mm *mm)
{
    struct trace_event event;
    for (uint64_t next = 0; trace_read(&next, &event);) {
        if (event.why == TRACE_REFUSAL)
            text_printf(text,
                        "%lu %u %d refusal signal %u code %u addr 0x%lx error 0x%x rip 0x%lx\n",
                        event.time, event.cpu, event.pid, (unsigned)(event.new >> 48),
                        (unsigned)(event.new >> 32 & 0xffff), event.va, (unsigned)event.new,
                        event.old);
        else
            text_printf(text, "%lu %u %d 0x%lx %s 0x%016lx 0x%016lx %s\n", event.time, event.cpu,
                        event.pid, event.va, level_name((int)event.level), event.old, event.new,
                        trace_why_name(event.why));
    }
}

static long write_trace(struct process *process, const char *line)
{
    trace_enabled = line[0] == '1';
    return line[0] == '0' || line[0] == '1' ? 0 : -EINVAL;
}

/* Memory kept back for reuse counts as used. It is given back first, so that counts can be
 * compared. */
static void show_frames(struct text *text, struct process *process, struct mm *mm)
{
    struct frame_stats stats;
    sched_settle();
    kmap_stack_reclaim();
    slab_reclaim();
    frame_stats(&stats);
    text_printf(text, "total %lu\nfree %lu\nused %lu\n", stats.total, stats.free,
                (stats.total - stats.free));
    for (int kind = FRAME_ANON; kind < FRAME_KIND_COUNT; kind++)
        text_printf(text, "%s %lu\n", frame_kind_name(kind), stats.used[kind]);
}

static void show_meminfo(struct text *text, struct process *process, struct mm *mm)
{
    struct frame_stats stats;
    frame_stats(&stats);
    text_printf(text, "MemTotal: %lu kB\nMemFree: %lu kB\nMemAvailable: %lu kB\n", stats.total * 4,
                stats.free * 4, stats.free * 4);
}

/* Walk every process's tables for a broken invariant. */
static void show_check(struct text *text, struct process *process, struct mm *mm)
{
    unsigned checked = 0, found = 0;
    for (struct process *p = process_next(1); p;) {
        struct mm *theirs = process_mm(p);
        int next = p->pid + 1;
        if (theirs) {
            found += mm_check(theirs);
            checked++;
            mm_put(theirs);
        }
        process_put(p);
        p = process_next(next);
    }
    text_printf(text, "checked %u processes, %u violations found, %lu since boot\n", checked, found,
                mm_check_total());
    text_printf(text, "%u CPUs found stuck since boot\n", watchdog_stuck_count());
}

static void show_kmsg(struct text *text, struct process *process, struct mm *mm)
{
    text_take(text, log_read, 65536);
}

static void show_uptime(struct text *text, struct process *process, struct mm *mm)
{
    uint64_t ms = arch_clock_ns() / 1000000;
    text_printf(text, "%lu.%02lu 0.00\n", (ms / 1000), (ms % 1000 / 10));
}

static void show_cpuinfo(struct text *text, struct process *process, struct mm *mm)
{
    unsigned cpu;
    for_each_cpu (cpu, arch_cpus_online())
        text_printf(text, "processor\t: %u\nflags\t\t: fpu sse sse2%s\n\n", cpu,
                    arch_has_shstk() ? " user_shstk" : "");
}

/* What many CPUs cost and whether one is stuck. Locks are counted in the test build only. */
static void show_counters(struct text *text, struct process *process, struct mm *mm)
{
    text_printf(text, "ipis %lu\nstuck %u\nspurious_faults %lu\ntraced %lu\n", arch_ipi_count(),
                watchdog_stuck_count(), mm_spurious_total(), trace_total());
#ifdef CONFIG_TEST
    text_printf(text, "locks %lu\n", lock_count());
#endif
}

static void show_cmdline(struct text *text, struct process *process, struct mm *mm)
{
    text_printf(text, "%s\n", cmdline_text());
}

/* The result of the last race; empty while a race is running. */
static void show_dirtyrace(struct text *text, struct process *process, struct mm *mm)
{
    struct race_result r;
    int pid;
    if (!mm_race_result(&r, &pid))
        return;
    text_printf(
        text,
        "pid %d\nrounds %lu\nstores %lu\nretries %lu\npatterns_before %lu\npatterns_after %lu\n",
        pid, r.rounds, r.stores, r.retries, r.patterns_before, r.patterns_after);
    text_printf(text, "lost %lu\nlate %lu\nplayed %lu\nin_time %lu\n", r.lost, r.late, r.played,
                r.in_time);
}

/* ---- What there is ------------------------------------------------------ */

static const struct proc_file process_files[] = {
    { "ptes", .next = next_pte },           { "maps", .next = next_map },
    { "status", .show = show_status },      { "stat", .show = show_stat },
    { "cmdline", .show = show_cmdline_of }, { "fork", .show = show_fork, .write = write_fork },
};

static const struct proc_file kernel_files[] = {
    { "trace", .show = show_trace, .write = write_trace },
    { "frames", .show = show_frames },
    { "meminfo", .show = show_meminfo },
    { "check", .show = show_check },
    { "kmsg", .show = show_kmsg },
    { "uptime", .show = show_uptime },
    { "cpuinfo", .show = show_cpuinfo },
    { "cmdline", .show = show_cmdline },
    { "counters", .show = show_counters },
    { "dirtyrace", .show = show_dirtyrace, .write = dirtyrace_command },
};

const struct proc_file *proc_file_at(bool of_process, size_t index)
{
    if (of_process)
        return index < ARRAY_SIZE(process_files) ? &process_files[index] : NULL;
    size_t count = ARRAY_SIZE(kernel_files);
    return index < count ? &kernel_files[index] : proc_test_file(index - count);
}
