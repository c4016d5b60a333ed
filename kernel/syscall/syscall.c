/* SPDX-License-Identifier: MIT */
/* System-call dispatch: Linux's x86-64 numbers, one function each. */
#include "kernel/syscall/syscall.h"

#include "arch/x86/upcalls.h"
#include "base/log.h"
#include "kernel/task/task.h"
#include "uapi/errno.h"

static const syscall_fn table[SYSCALL_COUNT] = {
    [0] = sys_read,
    [1] = sys_write,
    [2] = sys_open,
    [3] = sys_close,
    [4] = sys_stat,
    [5] = sys_fstat,
    [6] = sys_lstat,
    [7] = sys_poll,
    [8] = sys_lseek,
    [9] = sys_mmap,
    [10] = sys_mprotect,
    [11] = sys_munmap,
    [12] = sys_brk,
    [13] = sys_rt_sigaction,
    [14] = sys_rt_sigprocmask,
    [16] = sys_ioctl,
    [17] = sys_pread64,
    [18] = sys_pwrite64,
    [19] = sys_readv,
    [20] = sys_writev,
    [21] = sys_access,
    [22] = sys_pipe,
    [24] = sys_sched_yield,
    [25] = sys_mremap,
    [28] = sys_madvise,
    [32] = sys_dup,
    [33] = sys_dup2,
    [35] = sys_nanosleep,
    [39] = sys_getpid,
    [40] = sys_sendfile,
    [56] = sys_clone,
    [57] = sys_fork,
    [58] = sys_vfork,
    [59] = sys_execve,
    [60] = sys_exit,
    [61] = sys_wait4,
    [62] = sys_kill,
    [63] = sys_uname,
    [72] = sys_fcntl,
    [77] = sys_ftruncate,
    [79] = sys_getcwd,
    [80] = sys_chdir,
    [83] = sys_mkdir,
    [84] = sys_rmdir,
    [87] = sys_unlink,
    [88] = sys_symlink,
    [89] = sys_readlink,
    [95] = sys_umask,
    [96] = sys_gettimeofday,
    [97] = sys_getrlimit,
    [98] = sys_getrusage,
    [99] = sys_sysinfo,
    [100] = sys_times,
    [102] = sys_getuid,
    [104] = sys_getuid,
    [107] = sys_getuid,
    [108] = sys_getuid,
    [109] = sys_setpgid,
    [110] = sys_getppid,
    [111] = sys_getpgid,
    [112] = sys_setsid,
    [121] = sys_getpgid,
    [124] = sys_getpgid,
    [127] = sys_rt_sigpending,
    [157] = sys_prctl,
    [158] = sys_arch_prctl,
    [169] = sys_reboot,
    [186] = sys_gettid,
    [200] = sys_tkill,
    [201] = sys_time,
    [202] = sys_futex,
    [203] = sys_sched_setaffinity,
    [204] = sys_sched_getaffinity,
    [217] = sys_getdents64,
    [218] = sys_set_tid_address,
    [228] = sys_clock_gettime,
    [230] = sys_clock_nanosleep,
    [231] = sys_exit_group,
    [234] = sys_tgkill,
    [257] = sys_openat,
    [258] = sys_mkdirat,
    [262] = sys_newfstatat,
    [263] = sys_unlinkat,
    [267] = sys_readlinkat,
    [269] = sys_faccessat,
    [292] = sys_dup3,
    [273] = sys_set_robust_list,
    [274] = sys_get_robust_list,
    [293] = sys_pipe2,
    [302] = sys_prlimit64,
    [309] = sys_getcpu,
    [318] = sys_getrandom,
    [435] = sys_clone3,
    [453] = sys_map_shadow_stack,
};

/* Numbers that programs probe for and do without: membarrier, rseq. */
static bool quiet(uint64_t number) { return number == 324 || number == 334; }

static long not_implemented(uint64_t number)
{
    static uint8_t logged[SYSCALL_COUNT];
    if (number < SYSCALL_COUNT && !quiet(number)
        && !__atomic_exchange_n(&logged[number], 1, __ATOMIC_RELAXED))
        log_line("syscall: number %lu is not implemented (pid %d)", (unsigned long)number,
                 arch_current_pid());
    return -ENOSYS;
}

void entry_syscall(struct trap_frame *frame)
{
    uint64_t number = frame->rax;
    if (__builtin_expect(number >= SYSCALL_COUNT || !table[number], 0))
        frame->rax = (uint64_t)not_implemented(number);
    else
        frame->rax = (uint64_t)table[number](frame->rdi, frame->rsi, frame->rdx, frame->r10,
                                             frame->r8, frame->r9);
}
