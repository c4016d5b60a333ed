/* SPDX-License-Identifier: MIT */
/*
 * The dirty race: a kernel takes Write from a page-table entry on one CPU while others store
 * through it.
 *
 * One entry of ordinary memory; CPUS processors that load and store through it for ever, each with
 * a TLB of its own; a kernel on one CPU more, which changes the entry once, flushes the TLBs and
 * goes on. A step is one access to the entry, to a TLB or to the page, and Spin tries every order
 * of the steps. Definitions choose what varies, one of each group:
 *
 *    WALKER_CET    sets Dirty in one locked operation that looks at Write again, and faults if it
 *                  is gone
 *    WALKER_OLD    sets Dirty by a locked OR, without looking at Write again
 *
 *    CLEAR_CAS     LOCK CMPXCHG of a value in which W is gone and D has moved to COW; again if the
 *                  entry has changed
 *    CLEAR_STORE   reads the entry, computes the same value, and stores it
 *    CLEAR_AND     LOCK AND that takes W alone
 *    CLEAN_CAS     leaves W: LOCK CMPXCHG takes D alone, then the page is written back
 *
 *    NO_SHOOTDOWN  (or not) goes on without flushing the TLBs
 *
 *    CHECK_P1, CHECK_P2, CHECK_P3: the properties to check, any number of them
 */
#ifndef CPUS
#define CPUS 2
#endif

/* The entry is one word: a step reads or writes it whole. The bits have the names of
 * arch/x86/pgtable.h. */
#define W       1
#define D       2
#define COW     4
#define CACHED  8           /* in a TLB only: there is something in it */

byte pte = W;               /* the entry */
byte tlb[CPUS];             /* CACHED, and W and D as this CPU last saw them; or 0 */
/* one bit for each CPU that has been asked for a flush and has not acknowledged it */
byte ipi;

/* Nobody in the model looks at these; they are there for the properties. */
bool unsaved;               /* the page holds something its backing does not */
bool finished;              /* the kernel's change is finished */
bool shared;                /* ... and it has given the page to somebody else as well */
bool late;                  /* a store has reached the page after that */

/* P1: W=0,D=1, by which the CPU recognises a shadow stack, is never in the entry. */
#ifdef CHECK_P1
#define P1 ((pte & (W | D)) != D)
#else
#define P1 true
#endif

/* P2: no Dirty is lost. Once the change is finished, D or COW is set while the page holds
 * something unsaved. */
#ifdef CHECK_P2
#define P2 (!finished || !unsaved || (pte & (D | COW)))
#else
#define P2 true
#endif

/* P3: once the page is shared, no store completes through what a TLB held before. */
#ifdef CHECK_P3
#define P3 (!late)
#else
#define P3 true
#endif

/* The end of every step: a line for whoever replays a trace, with the entry as it is now; then
 * the properties. */
#define SEEN(what) \
    printf(what); printf("; W=%d D=%d COW=%d\n", pte & 1, (pte >> 1) & 1, (pte >> 2) & 1); \
    assert(P1); assert(P2); assert(P3)
#define CPU_SEEN(what)    printf("cpu%d: ", me); SEEN(what)
#define KERNEL_SEEN(what) printf("kernel: "); SEEN(what)

/* ---- A CPU that uses the page ---------------------------------------------------------------- */

/* The page walker's second visit to the entry, for a store that found W=1,D=0. */
inline set_dirty(me)
{
#if defined WALKER_CET
    if
    :: atomic { (pte & W) -> pte = pte | D; tlb[me] = tlb[me] | D;
                CPU_SEEN("finds W=1 still and sets D") }
    :: atomic { !(pte & W) -> tlb[me] = 0; CPU_SEEN("finds W=0 and faults instead of setting D") }
    fi
#elif defined WALKER_OLD
    atomic { pte = pte | D; tlb[me] = tlb[me] | D; CPU_SEEN("sets D, as the W it has read was 1") }
#else
#error "define WALKER_CET or WALKER_OLD"
#endif
}

/*
 * What a CPU does next is open. An instruction is more than one step, but an interrupt waits for
 * its end: that is why an acknowledged IPI says that nothing is under way. A fault drops what was
 * cached; its handler is not in the model.
 */
proctype cpu(byte me)
{
    do
    :: atomic { (ipi & (1 << me)) -> tlb[me] = 0; ipi = ipi & ~(1 << me);
                CPU_SEEN("flushes and acknowledges the IPI") }

    :: atomic { tlb[me] == 0 -> tlb[me] = CACHED | (pte & (W | D));
                CPU_SEEN("walks to the entry and caches it") }

    :: atomic { tlb[me] != 0 -> tlb[me] = 0; CPU_SEEN("needs the room and drops its cached entry") }

    :: atomic { tlb[me] != 0 && !(tlb[me] & W) -> tlb[me] = 0;
                CPU_SEEN("faults: a store, and W=0 is cached") }

    :: (tlb[me] & W) ->                         /* a store; the walk above may have been for it */
       if
       :: (tlb[me] & D)                         /* the entry is not looked at */
       :: !(tlb[me] & D) -> set_dirty(me)
       fi;
       if
       :: atomic { (tlb[me] & D) -> unsaved = true; late = shared; CPU_SEEN("stores to the page") }
       :: tlb[me] == 0                          /* it faulted */
       fi
    od
}

/* ---- The kernel ------------------------------------------------------------------------------ */

#ifdef CLEAN_CAS
#define new_value(old) (old & ~D)
#else
#define new_value(old) ((old & COW) | (old & D -> COW : 0))     /* pte_wrprotect() */
#endif

proctype kernel()
{
    byte old;

#if defined CLEAR_CAS || defined CLEAN_CAS
    do
    :: atomic { old = pte; KERNEL_SEEN("reads the entry") }
       if
       :: atomic { pte == old -> pte = new_value(old); KERNEL_SEEN("CMPXCHG stores the new value") }
          break
       :: atomic { pte != old -> KERNEL_SEEN("CMPXCHG finds another value, once more") }
       fi
    od;
#elif defined CLEAR_STORE
    atomic { old = pte; KERNEL_SEEN("reads the entry") }
    atomic { pte = new_value(old); KERNEL_SEEN("stores the new value") }
#elif defined CLEAR_AND
    atomic { pte = pte & ~W; KERNEL_SEEN("clears W alone") }
#else
#error "define CLEAR_CAS, CLEAR_STORE, CLEAR_AND or CLEAN_CAS"
#endif

#ifndef NO_SHOOTDOWN
    ipi = (1 << CPUS) - 1;                      /* ask every CPU */
    ipi == 0;                                   /* wait for every CPU */
#endif

#ifdef CLEAN_CAS
    atomic { unsaved = false; finished = true; KERNEL_SEEN("writes the page back") }
#else
    atomic { shared = true; finished = true; KERNEL_SEEN("shares the page") }
#endif
}

/* At first nothing is cached, and the page is clean or it is not. */
init
{
    byte i;
    if
    :: atomic { SEEN("start: a clean page") }
    :: atomic { pte = W | D; unsaved = true; SEEN("start: a dirty page") }
    fi;
    atomic {
        for (i : 0 .. CPUS - 1) {
            run cpu(i)
        }
        run kernel()
    }
}
