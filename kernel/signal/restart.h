/* SPDX-License-Identifier: MIT */
/*
 * What a system call returns that a signal interrupted. No program sees these numbers (Linux's, for
 * who knows them): on the way back to user mode each becomes -EINTR, or the call is made again.
 */
#ifndef KERNEL_SIGNAL_RESTART_H
#define KERNEL_SIGNAL_RESTART_H

#define ERESTARTSYS           512 /* again, unless a handler without SA_RESTART runs */
#define ERESTARTNOINTR        513 /* again, always */
#define ERESTARTNOHAND        514 /* again, unless a handler runs */
#define ERESTART_RESTARTBLOCK 516 /* the same, by task.signals.restart */

#endif
