/* SPDX-License-Identifier: MIT */
/* The system-call table: Linux's numbers, one function each. */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include "base/types.h"

struct trap_frame;

/* Six arguments as the registers held them; the result is a value or a negative errno. */
typedef long (*syscall_fn)(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f);

#define SYSCALL_COUNT 462

/*
 * kernel/syscall/syscall.c holds the one table and dispatches; what is NULL there is -ENOSYS and
 * logged once per number. The functions are sys_NAME(), spread over kernel/sys_*.c by subject, all
 * declared below.
 */
#define SYSCALL(name) \
    long sys_##name(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)

/* kernel/fs/sys_file.c: files, directories, pipes */
SYSCALL(read);
SYSCALL(write);
SYSCALL(readv);
SYSCALL(writev);
SYSCALL(pread64);
SYSCALL(pwrite64);
SYSCALL(open);
SYSCALL(openat);
SYSCALL(close);
SYSCALL(lseek);
SYSCALL(fstat);
SYSCALL(stat);
SYSCALL(lstat);
SYSCALL(newfstatat);
SYSCALL(pipe);
SYSCALL(pipe2);
SYSCALL(dup);
SYSCALL(dup2);
SYSCALL(dup3);
SYSCALL(fcntl);
SYSCALL(ioctl);
SYSCALL(readlink);
SYSCALL(readlinkat);
SYSCALL(getcwd);
SYSCALL(chdir);
SYSCALL(mkdir);
SYSCALL(mkdirat);
SYSCALL(unlink);
SYSCALL(unlinkat);
SYSCALL(rmdir);
SYSCALL(symlink);
SYSCALL(access);
SYSCALL(faccessat);
SYSCALL(getdents64);
SYSCALL(poll);
SYSCALL(ftruncate);
SYSCALL(umask);
SYSCALL(sendfile);

/* kernel/task/memory.c: memory and shadow stacks */
SYSCALL(mmap);
SYSCALL(munmap);
SYSCALL(mprotect);
SYSCALL(madvise);
SYSCALL(brk);
SYSCALL(mremap);
SYSCALL(arch_prctl);
SYSCALL(map_shadow_stack);

/* kernel/task/fork.c, exec.c, process.c, sys_process.c, signal.c: processes, time, identity,
 * signals */
SYSCALL(fork);
SYSCALL(vfork);
SYSCALL(clone);
SYSCALL(execve);
SYSCALL(exit);
SYSCALL(exit_group);
SYSCALL(wait4);
SYSCALL(getpid);
SYSCALL(getppid);
SYSCALL(gettid);
SYSCALL(sched_yield);
SYSCALL(nanosleep);
SYSCALL(clock_nanosleep);
SYSCALL(clock_gettime);
SYSCALL(gettimeofday);
SYSCALL(time);
SYSCALL(uname);
SYSCALL(reboot);
SYSCALL(set_tid_address);
SYSCALL(getrandom);
SYSCALL(getuid);
SYSCALL(getpgid);
SYSCALL(setpgid);
SYSCALL(setsid);
SYSCALL(prlimit64);
SYSCALL(getrlimit);
SYSCALL(sysinfo);
SYSCALL(times);
SYSCALL(getrusage);
SYSCALL(prctl);
SYSCALL(sched_getaffinity);
SYSCALL(sched_setaffinity);
SYSCALL(getcpu);
SYSCALL(clone3);
SYSCALL(kill);
SYSCALL(tkill);
SYSCALL(tgkill);
SYSCALL(rt_sigaction);
SYSCALL(rt_sigprocmask);
SYSCALL(rt_sigpending);

/* kernel/sched/futex.c */
SYSCALL(futex);
SYSCALL(set_robust_list);
SYSCALL(get_robust_list);

/* Time, as several of them use it (kernel/task/sys_process.c): a user's struct timespec in
 * nanoseconds, at most 10^10 s; 0, -EFAULT, -EINVAL. Nanoseconds since 1970. */
MUST_CHECK int time_in(uint64_t from, uint64_t *ns);
uint64_t wall_clock_ns(void);
void time_init(void);

#endif
