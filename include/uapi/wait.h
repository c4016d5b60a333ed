/* SPDX-License-Identifier: MIT */
/* Linux's options of wait4(). */
#ifndef UAPI_WAIT_H
#define UAPI_WAIT_H

#define WNOHANG    1
#define WUNTRACED  2
#define WCONTINUED 8
#define WALL       0x40000000        /* __WALL: whatever signal the child ends with */
#define WCLONE     ((int)0x80000000) /* __WCLONE: only those that end with another than SIGCHLD */

#endif
