/* SPDX-License-Identifier: MIT */
/* Finding CPUs that have stopped ticking. */
#ifndef KERNEL_SCHED_WATCHDOG_H
#define KERNEL_SCHED_WATCHDOG_H

void watchdog_begin(void);           /* this CPU's timer runs: from now on the CPU must tick */
void watchdog_tick(void);            /* on every tick, interrupts off */
unsigned watchdog_stuck_count(void); /* CPUs found stuck since boot */

#endif
