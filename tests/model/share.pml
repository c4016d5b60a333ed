/* SPDX-License-Identifier: MIT */
/*
 * Fork that shares whole page tables: who may store where, and when a table may go.
 *
 * An address space is a root with one entry. The entry points to a table with one leaf, and the
 * leaf maps a frame. Fork copies the root's entry and takes W from both; no table below is touched.
 * The first store on either side then faults and owns the path: alone at the table, it sets W
 * again; else it copies the table. A table counts the entries that point to it (`sharers`, guarded
 * by the table's lock), and whoever drops the last one frees it.
 *
 * Two CPUs run threads of the parent, which forks once, and one CPU runs the child. Each loads,
 * stores, unmaps and exits as it likes. Each has an MMU that walks at any time, also while the CPU
 * is in the kernel, and keeps what it has read until the CPU flushes: the root's entry in a
 * paging-structure cache, the leaf in a TLB. A step is one access to what others may see, or
 * several under a lock that keeps the others out; Spin tries every order of the steps.
 *
 * The names are those of mm/table/. A definition plants one mistake; with none, all is right:
 *
 *    SET_FIRST       who owns a path sets W, and then looks at the count
 *    READ_UNLOCKED   who owns a path reads the count before it locks the table
 *    PUT_UNLOCKED    a reference is dropped by a load and a store, without the table's lock
 *    COPY_PUT_EARLY  a copier flushes only once it has dropped its reference and unlocked the table
 *    DROP_PUT_EARLY  who unmaps a table flushes only once it has dropped its reference
 *    LEAF_KEEPS_W    a copier leaves W in the old table's leaf
 *    FORK_NO_FLUSH   fork flushes its own CPU alone
 *    DEAF            a CPU answers flushes in user mode only
 *
 *    CHECK_S1 to CHECK_S5: the properties to check, any number of them. S6, that no CPU waits for
 *    ever, is Spin's own check for invalid end states. CHECK_ROOM: TABLES and FRAMES are enough.
 */

/* The address spaces, and the CPUs that run them. */
#define PARENT      0
#define CHILD       1
#define BIT(number) (1 << (number))
#define BOTH        (BIT(PARENT) | BIT(CHILD))
#define CPUS        3
#define CPUS_OF(s)  (s == PARENT -> BIT(0) | BIT(1) : BIT(2))

/* Tables and frames have numbers from 1; 0 is none. */
#define TABLES 3
#define FRAMES 4

typedef space_t {
    byte table;             /* the root's entry: the table it points to, */
    bool w;                 /* and W */
    bool root_locked;
    byte readers;           /* mm.lock is held for reading by so many, */
    bool writer;            /* or for writing */
    byte cpus;              /* which run it now, one bit each */
    bool forked, ended;     /* a child: it has come into being; it has been taken down */
};
space_t space[2];

typedef table_t {
    bool live;              /* allocated */
    bool locked;
    byte sharers;
    byte due;               /* for S3: references counted in sharers that no entry stands for */
    byte frame;             /* the leaf: the frame it maps, */
    bool w;                 /* and W */
};
table_t table[TABLES + 1];

typedef frame_t {
    byte refs;              /* 0: free */
    byte right;             /* for S1: the address spaces whose last store it holds, one bit each */
};
frame_t frame[FRAMES + 1];

/* What a CPU has cached. */
typedef cache_t {
    byte table;             /* paging-structure cache: the root's entry; 0: nothing */
    bool table_w;
    byte frame;             /* TLB: the frame, and whether W was set all the way; 0: nothing */
    bool frame_w;
};
cache_t cache[CPUS];
#define CACHED_TABLE table[cache[me].table]
#define CACHED_FRAME frame[cache[me].frame]

byte ipi;                   /* CPUs that have been asked for a flush and have not answered */
byte busy;                  /* CPUs in the kernel */

/* ---- The properties -------------------------------------------------------------------------- */

/* S1: a load finds what its own address space stored last, before the fork or after; never a store
 * of the other's, and never an older page. */
#ifdef CHECK_S1
#define S1 (CACHED_FRAME.right & BIT(s))
#else
#define S1 true
#endif

/* S2: no CPU walks a freed table or uses a freed frame, and none is freed twice. */
#ifdef CHECK_S2
#define S2(in_use) (in_use)
#else
#define S2(in_use) true
#endif

/* S3: sharers is the number of entries that point to the table, and of references due. */
#ifdef CHECK_S3
#define ENTRIES(t) ((space[PARENT].table == t) + (space[CHILD].table == t))
#define S3(t) (table[t].sharers == ENTRIES(t) + table[t].due)
#else
#define S3(t) true
#endif

/* S4: nobody shares the table below an entry with W=1, unless fork is about to clear W. */
#ifdef CHECK_S4
#define S4(s) (!space[s].w || table[space[s].table].sharers == 1 || space[s].writer)
#else
#define S4(s) true
#endif

/* S5: once both address spaces have ended, or the parent without a child, nothing is left. */
#ifdef CHECK_S5
#define ENDED (space[PARENT].ended && (space[CHILD].ended || !space[CHILD].forked))
#define LEFT (table[1].live || table[2].live || table[3].live || \
              frame[1].refs || frame[2].refs || frame[3].refs || frame[4].refs)
#define S5 (!ENDED || !LEFT)
#else
#define S5 true
#endif

#ifdef CHECK_ROOM
#define ROOM(free) (free)
#else
#define ROOM(free) true
#endif

/* The end of every step: a line for whoever replays a trace, with the entry in each root (table
 * and W) and the sharers of each table; then the properties. */
#define SEEN(what) \
    printf(what); \
    printf("; parent=%d%c child=%d%c t1=%d t2=%d t3=%d\n", \
           space[PARENT].table, (space[PARENT].w -> 'W' : '-'), \
           space[CHILD].table, (space[CHILD].w -> 'W' : '-'), \
           table[1].sharers, table[2].sharers, table[3].sharers); \
    assert(S3(1) && S3(2) && S3(3) && S4(PARENT) && S4(CHILD) && S5)
#define CPU_SEEN(what) printf("cpu%d: ", me); SEEN(what)
#define MMU_SEEN(what) printf("mmu%d: ", me); SEEN(what)

/* ---- Flushing, frames, tables. In all that follows CPU me runs address space s. -------------- */

#define forget \
    cache[me].table = 0; cache[me].table_w = false; cache[me].frame = 0; cache[me].frame_w = false

/* Every CPU that runs the address space drops what it has cached. */
inline flush()
{
    atomic { forget; ipi = ipi | (space[s].cpus & ~BIT(me)); CPU_SEEN("asks for a flush") }
    atomic { (ipi & CPUS_OF(s) & ~BIT(me)) == 0 -> CPU_SEEN("has flushed") }
}

#define for_frames(action) for (i : 1 .. FRAMES) { action } i = 0

#define frame_store(number) \
    for_frames(frame[i].right = frame[i].right & ~BIT(s);); frame[number].right = BIT(s)

/* Returns in new a frame that holds what old holds. */
#define frame_copy(old) \
    new = (!frame[1].refs -> 1 : (!frame[2].refs -> 2 : (!frame[3].refs -> 3 : 4))); \
    assert(ROOM(!frame[new].refs)); frame[new].refs = 1; frame[new].right = frame[old].right

#define frame_put(number) \
    assert(S2(frame[number].refs)); \
    frame[number].refs = (frame[number].refs -> frame[number].refs - 1 : 0); \
    frame[number].right = (frame[number].refs -> frame[number].right : 0)

/* Returns in new a table without entries, to which one entry is about to point. */
#define table_create \
    new = (!table[1].live -> 1 : (!table[2].live -> 2 : 3)); \
    assert(ROOM(!table[new].live)); \
    table[new].live = true; table[new].sharers = 1; table[new].due = 1

/* One entry fewer points to table t. The last one frees it, with no lock held. */
inline table_put()
{
#ifdef PUT_UNLOCKED
    atomic { count = table[t].sharers; CPU_SEEN("reads the count without a lock") }
    atomic { table[t].sharers = count - 1; table[t].due--; CPU_SEEN("stores the count less one") }
#else
    atomic { !table[t].locked -> count = table[t].sharers; table[t].sharers--; table[t].due--;
             CPU_SEEN("drops its reference") }
#endif
    if
    :: atomic { count == 1 -> frame_put(table[t].frame); table[t].frame = 0; table[t].w = false;
                table[t].live = false; t = 0; count = 0; CPU_SEEN("frees the table") }
    :: atomic { count != 1 -> t = 0; count = 0; CPU_SEEN("leaves the table to the other") }
    fi
}

/* ---- Owning the path ------------------------------------------------------------------------- */

#ifdef LEAF_KEEPS_W
#define leaf_restrict skip
#else
#define leaf_restrict table[t].w = false
#endif

/* The entry no longer points to t, which is locked. */
inline copier_put()
{
    atomic { table[t].sharers--; table[t].due--; table[t].locked = false; t = 0;
             CPU_SEEN("drops its reference on the old table") }
}

/* Others share t, which is locked: a copy takes its place in the root. */
inline table_replace()
{
    atomic { table_create; leaf_restrict; frame[table[t].frame].refs++;
             table[new].frame = table[t].frame; CPU_SEEN("copies the table") }
    atomic { space[s].table = new; space[s].w = true; table[new].due--; table[t].due++; new = 0;
             CPU_SEEN("points its entry to the copy, W=1") }
#ifdef COPY_PUT_EARLY
    copier_put();
    flush()
#else
    flush();
    copier_put()
#endif
}

/* The root is locked, and its entry has W=0. */
inline table_own()
{
    t = space[s].table;
#ifdef SET_FIRST
    atomic { space[s].w = true; CPU_SEEN("sets W") }
#endif
#ifdef READ_UNLOCKED
    atomic { count = table[t].sharers; CPU_SEEN("reads the count without a lock") }
    atomic { !table[t].locked -> table[t].locked = true; CPU_SEEN("locks the table") }
#else
    atomic { !table[t].locked -> table[t].locked = true; count = table[t].sharers;
             CPU_SEEN("locks the table and reads the count") }
#endif
    if
    :: atomic { count == 1 -> space[s].w = true; table[t].locked = false; t = 0; count = 0;
                CPU_SEEN("is alone and sets W") }
    :: atomic { count != 1 -> count = 0 }
       table_replace()
    fi
}

/* The path is own, and t locked. The last owner of a frame reuses it; others copy it. */
inline leaf_own()
{
    if
    :: atomic { table[t].w -> CPU_SEEN("finds W=1 in the leaf") }
    :: atomic { !table[t].w && frame[table[t].frame].refs == 1 -> table[t].w = true;
                CPU_SEEN("is the frame's last owner: W=1 in the leaf") }
    :: atomic { !table[t].w && frame[table[t].frame].refs != 1 -> old = table[t].frame;
                table[t].frame = 0; CPU_SEEN("empties the leaf") }
       flush();
       atomic { frame_copy(old); table[t].frame = new; table[t].w = true; frame_put(old);
                new = 0; old = 0; CPU_SEEN("maps a copy of the frame, W=1") }
    fi;
    atomic { table[t].locked = false; t = 0; CPU_SEEN("unlocks the table") }
}

/* A store has found W=0. mm.lock is held for reading. */
inline fault()
{
    do
    :: atomic { space[s].table && space[s].w -> t = space[s].table }
       atomic { !table[t].locked -> table[t].locked = true; CPU_SEEN("locks the table, its own") }
       leaf_own();
       break
    :: atomic { space[s].table && !space[s].w && !space[s].root_locked ->
                space[s].root_locked = true; CPU_SEEN("locks the root") }
       if
       :: space[s].w                        /* another thread has owned the path */
       :: !space[s].w -> table_own()
       fi;
       atomic { space[s].root_locked = false; CPU_SEEN("unlocks the root") }
    :: space[s].table == 0 -> break         /* another thread has unmapped it */
    od;
    atomic { space[s].readers--; busy = busy & ~BIT(me); CPU_SEEN("returns from the fault") }
}

/* ---- Fork and unmapping. mm.lock is held for writing. ---------------------------------------- */

inline tables_share()
{
    if
    :: space[PARENT].table == 0
    :: atomic { space[PARENT].table != 0 -> t = space[PARENT].table }
       atomic { !table[t].locked -> table[t].sharers++; table[t].due++;
                CPU_SEEN("adds a reference") }
       atomic { space[PARENT].w = false; CPU_SEEN("clears W in its entry") }
       atomic { space[CHILD].table = t; table[t].due--; t = 0;
                CPU_SEEN("gives the child the same entry") }
#ifdef FORK_NO_FLUSH
       atomic { forget; CPU_SEEN("flushes itself") }
#else
       flush()
#endif
    fi;
    atomic { for_frames(frame[i].right = (frame[i].right -> BOTH : 0););
             space[CHILD].cpus = CPUS_OF(CHILD); space[PARENT].writer = false;
             busy = busy & ~BIT(me); CPU_SEEN("lets the child run") }
}

inline tables_drop()
{
    atomic { t = space[s].table; space[s].table = 0; space[s].w = false; table[t].due++;
             CPU_SEEN("clears its entry") }
#ifdef DROP_PUT_EARLY
    table_put();
    flush();
#else
    flush();
    table_put();
#endif
    atomic { space[s].writer = false; busy = busy & ~BIT(me); CPU_SEEN("has unmapped") }
}

/* ---- The CPUs -------------------------------------------------------------------------------- */

#define RUNS        (space[s].cpus & BIT(me))
#define READABLE    (!space[s].writer)
#define WRITABLE    (!space[s].writer && space[s].readers == 0)
#ifdef DEAF
#define ANSWERS     (!(busy & BIT(me)))
#else
#define ANSWERS     true
#endif

/*
 * What a CPU does by itself: it walks, and it takes interrupts, also while it waits for a lock. A
 * CPU that drops what it has cached needs no step: it is as if it had not walked.
 */
proctype mmu(byte me; byte s)
{
end:
    do
    :: atomic { RUNS && !cache[me].table && space[s].table ->
                cache[me].table = space[s].table; cache[me].table_w = space[s].w;
                MMU_SEEN("caches the root's entry") }

    :: atomic { cache[me].table && !cache[me].frame &&
                (CACHED_TABLE.frame || !S2(CACHED_TABLE.live)) ->
                cache[me].frame = CACHED_TABLE.frame;
                cache[me].frame_w = cache[me].table_w && CACHED_TABLE.w;
                MMU_SEEN("walks on and caches the leaf"); assert(S2(CACHED_TABLE.live)) }

    :: atomic { (ipi & BIT(me)) && ANSWERS -> forget; ipi = ipi & ~BIT(me);
                MMU_SEEN("flushes and answers") }
    od
}

/*
 * What a program does next is open. A fault drops what is cached for its address. The parent's CPUs
 * are alike, so it is enough that one of them forks. The child's only thread may as well exit as
 * unmap.
 */
proctype cpu(byte me; byte s)
{
    byte t, new, old, count, i;             /* the kernel's variables; 0 when not in use */
end:
    do
    :: atomic { RUNS && cache[me].frame ->
                CPU_SEEN("loads"); assert(S1); assert(S2(CACHED_FRAME.refs)) }

    :: atomic { RUNS && cache[me].frame && cache[me].frame_w -> frame_store(cache[me].frame);
                CPU_SEEN("stores"); assert(S2(CACHED_FRAME.refs)) }

    :: atomic { RUNS && cache[me].frame && !cache[me].frame_w && READABLE ->
                forget; space[s].readers++; busy = busy | BIT(me);
                CPU_SEEN("faults: a store, and W=0 is cached") }
       fault()

    :: atomic { RUNS && me == 0 && !space[CHILD].forked && WRITABLE ->
                space[CHILD].forked = true; space[s].writer = true; busy = busy | BIT(me);
                CPU_SEEN("forks") }
       tables_share()

    :: atomic { RUNS && s == PARENT && space[s].table && WRITABLE -> space[s].writer = true;
                busy = busy | BIT(me); CPU_SEEN("unmaps") }
       tables_drop()

    :: atomic { RUNS -> forget; ipi = ipi & ~BIT(me); space[s].cpus = space[s].cpus & ~BIT(me);
                t = (space[s].cpus -> 0 : space[s].table); space[s].ended = !space[s].cpus && !t;
                CPU_SEEN("exits") }
       if
       :: atomic { t != 0 -> space[s].table = 0; space[s].w = false; table[t].due++;
                   CPU_SEEN("clears the entry: nobody else runs this") }
          table_put();
          atomic { space[s].ended = true; CPU_SEEN("has taken the address space down") }
       :: t == 0
       fi
    od
}

/* At first there is the parent alone. */
init
{
    atomic {
        frame[1].refs = 1; frame[1].right = BIT(PARENT);
        table[1].live = true; table[1].sharers = 1; table[1].frame = 1; table[1].w = true;
        space[PARENT].table = 1; space[PARENT].w = true; space[PARENT].cpus = CPUS_OF(PARENT);
        SEEN("start: the parent");
        run cpu(0, PARENT); run mmu(0, PARENT);
        run cpu(1, PARENT); run mmu(1, PARENT);
        run cpu(2, CHILD); run mmu(2, CHILD)
    }
}
