/* SPDX-License-Identifier: MIT */
/* The kernel's own main program: everything brought up in order, then init started. */
#include "arch/x86/upcalls.h"
#include "base/defect.h"
#include "base/log.h"
#include "base/panic.h"
#include "base/string.h"
#include "base/version.h"
#include "boot_info.h"
#include "kernel/cmdline.h"
#include "kernel/drivers/fbcon.h"
#include "kernel/fs/cpio.h"
#include "kernel/fs/devices.h"
#include "kernel/fs/file.h"
#include "kernel/fs/mount.h"
#include "kernel/sched/futex.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/watchdog.h"
#include "kernel/task/exec.h"
#include "kernel/task/fork.h"
#include "kernel/task/limits.h"
#include "kernel/task/process.h"
#include "kernel/task/shstk.h"
#include "kernel/task/task.h"
#include "kernel/time/time.h"
#include "kernel/tty/console.h"
#include "mm/oracle.h"
#include "mm/phys/frame.h"
#include "mm/phys/kmap.h"
#include "uapi/errno.h"
#include "uapi/fcntl.h"

static struct task idle_tasks[CPUS_MAX]; /* the contexts that CPUs start with */
static const struct boot_info *boot_info;
static int initrd_error; /* 0: everything was unpacked */

static void memory_start(const struct boot_info *info)
{
    frame_init(info);
    kmap_init(info);
    fbcon_remap();
    frame_init_high(info);
    mm_init();
}

static void initrd_start(const struct boot_info *info)
{
    initrd_error = initrd_unpack(arch_phys_to_virt(paddr(info->initrd.start)), info->initrd.bytes);
    if (initrd_error)
        log_line("initrd: continuing with what was unpacked");
    frame_release_range(paddr(info->initrd.start), align_up(info->initrd.bytes, PAGE_SIZE));
}

static void defect_start(void)
{
    char name[32];
    if (cmdline_get("defect", name, sizeof(name)) && defect_set(name))
        log_line("defect: there is no planted defect \"%s\" in this build", name);
}

static void oracle_switch(void)
{
    char value[4];
    if (cmdline_get("oracle", value, sizeof(value)) && strcmp(value, "1") == 0)
        log_line("oracle: %s",
                 oracle_start() ? "every call is held against its promise" : "this build has none");
}

/* How process 1, and so every other, forks. */
static void fork_start(struct process *init)
{
    char name[16];
    if (cmdline_get("fork", name, sizeof(name)) && !fork_way_find(name, &init->fork_way))
        log_line("fork: there is no way \"%s\": it is auto, leaves or tables", name);
}

/* Descriptors 0, 1 and 2. */
static void stdio_open(struct files *files)
{
    struct file *console;
    if (file_open("/dev/console", O_RDWR, 0, &console))
        panic("/dev/console cannot be opened");
    for (int fd = 0; fd < 3; fd++) {
        file_hold(console);
        if (files_add(files, console, 0, false) != fd)
            panic("no descriptors for init");
    }
    file_put(console);
}

/* Say why init does not run, and end. */
static NORETURN void init_fail(const char *path, int err)
{
    const char *why = err == -ENOENT    ? ": not found"
                      : err == -ENOEXEC ? ": not a static x86-64 program"
                      : err == -ENOMEM  ? ": out of memory"
                      : err == -E2BIG   ? ": its arguments are too long"
                                        : "";
    log_line("init: %s cannot be run (error %d%s)%s", path, -err, why,
             initrd_error ? "; the initrd was not unpacked to its end" : "");
    arch_power_off();
}

/* Process 1, in kernel mode on its own stack: execute init=, or say why that fails. */
static void init_start(void *unused)
{
    entry_task_begin();
    arch_irq_enable();
    static const char *const envp[] = { "HOME=/", "TERM=linux", "PATH=/sbin:/bin", NULL };
    static const char *argv[INIT_ARGS_MAX];
    static char path[BOOT_CMDLINE_BYTES] = "/sbin/init";
    cmdline_get("init", path, sizeof(path));
    argv[0] = path;
    cmdline_init_args(argv, 1);
    struct task *task = task_current();
    struct trap_frame *frame = arch_user_frame(&task->arch);
    int err = process_exec(path, argv, envp, frame);
    if (err)
        init_fail(path, err);
    log_line("boot: loader to init %lu instructions", arch_cycles() - boot_info->loader_tsc);
    arch_enter_user(frame);
}

static void process_one_start(void)
{
    struct process *process = process_create();
    if (!process || !(process->files = files_fork(NULL)) || !(process->fs = fs_fork(NULL)))
        panic("no memory for init");
    struct task *task = process_task(process);
    fork_start(process);
    limits_begin(process);
    process->path[0] = '\0';
    stdio_open(process->files);
    (void)!process_publish(process, NULL, false);
    arch_fpu_reset();
    arch_fpu_fork(&task->arch);
    arch_task_init_kernel(&task->arch, init_start, NULL);
    sched_add(task);
}

/* The running context becomes this CPU's idle task. */
static void idle_start(uint64_t stack_top)
{
    struct task *idle = &idle_tasks[arch_cpu_id()];
    idle->arch.kernel_stack_top = stack_top;
    list_init(&idle->run_link);
    list_init(&idle->wait_link);
    list_init(&idle->timer_link);
    sched_init(idle);
    arch_task_begin(&idle->arch, idle);
}

void entry_cpu_begin(uint64_t stack_top)
{
    idle_start(stack_top);
    arch_timer_start();
    watchdog_begin();
    arch_cpu_ready();
    sched_idle();
}

static void cpus_start(void)
{
    char value[16];
    unsigned max = CPUS_MAX;
    if (cmdline_get("maxcpus", value, sizeof(value))) {
        const char *at = value;
        for (max = 0; *at >= '0' && *at <= '9' && max < CPUS_MAX; at++)
            max = max * 10 + (unsigned)(*at - '0');
        if (at == value || max == 0) {
            log_line("cpus: maxcpus=%s is not a number of CPUs; all are started", value);
            max = CPUS_MAX;
        }
    }
    arch_cpus_start(max);
}

/* Only the first part of boot information is the same in every version. */
void entry_boot(const struct boot_info *info)
{
    bool found = info->magic == BOOT_INFO_MAGIC, same = found && info->version == BOOT_INFO_VERSION;
    boot_info = info;
    cmdline_init(same ? arch_phys_to_virt(paddr(info->cmdline.start)) : "");
    static const struct boot_framebuffer none;
    console_early_init(found ? &info->framebuffer : &none);
    if (!found)
        panic("the loader has left no boot information");
    if (!same)
        panic("the loader's boot information is of version %u, this kernel needs version %u",
              info->version, BOOT_INFO_VERSION);
}

void kernel_main(const struct boot_info *info)
{
    log_line("Penumbra " PENUMBRA_VERSION ": a small kernel with shadow stacks");
    log_line("cmdline: %s", cmdline_text());
    memory_start(info);
    arch_init(info);
    console_init();
    shstk_init();
    limits_init();
    userfaultfd_init();
    mounts_init();
    devices_init();
    initrd_start(info);
    defect_start();
    oracle_switch();
    time_init();
    futex_init();
    idle_start(arch_boot_stack_top());
    cpus_start();
    process_one_start();
    arch_timer_start();
    watchdog_begin();
    sched_idle();
}
