/* SPDX-License-Identifier: MIT */
/* Linux's options of wait4() and waitid(). */
#ifndef UAPI_WAIT_H
#define UAPI_WAIT_H

#define WNOHANG    1
#define WUNTRACED  2
#define WSTOPPED   WUNTRACED
#define WEXITED    4
#define WCONTINUED 8
#define WNOWAIT    0x01000000
#define WNOTHREAD  0x20000000        /* __WNOTHREAD: only children that the calling thread made */
#define WALL       0x40000000        /* __WALL: whatever signal the child ends with */
#define WCLONE     ((int)0x80000000) /* __WCLONE: only those that end with another than SIGCHLD */

#define P_ALL   0
#define P_PID   1
#define P_PGID  2
#define P_PIDFD 3

#endif
