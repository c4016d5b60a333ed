/* SPDX-License-Identifier: MIT */
/* What tests of signals share: handlers that note their calls. */
#ifndef TESTS_SIGNALS_H
#define TESTS_SIGNALS_H

#include "test.h"

static volatile int calls, order[80];
static siginfo_t last;

static inline void note(int signal) { order[calls++] = signal; }

static inline void note_info(int signal, siginfo_t *info, void *context)
{
    (void)context;
    last = *info;
    note(signal);
}

static inline void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };
    CHECK_EQ(sigaction(signal, &action, NULL), 0);
}

static inline void block(int how, int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    CHECK_EQ(sigprocmask(how, &set, NULL), 0);
}

static inline int is_pending(int signal)
{
    sigset_t set;
    CHECK_EQ(sigpending(&set), 0);
    return sigismember(&set, signal);
}

#endif
