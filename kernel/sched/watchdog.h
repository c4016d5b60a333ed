/* SPDX-License-Identifier: MIT */
/* Finding CPUs that have stopped to tick. */
#ifndef KERNEL_SCHED_WATCHDOG_H
#define KERNEL_SCHED_WATCHDOG_H

void watchdog_begin(void); /* this CPU's timer has been started: from now on it must tick */
void watchdog_tick(void);  /* on every tick, interrupts off */
unsigned watchdog_stuck_count(void); /* CPUs found stuck since boot */

#endif
