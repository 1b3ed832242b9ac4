/* Writers, readers, prunes, delete and undelete on one repository: docs/adr/0007-keeping-and-prune.md
 * for the model checker spin. README.md beside this file says what it shows and what it leaves out;
 * check.sh runs every scene and every mutant.
 *
 * One step is one call of the store. A process that is killed takes no further step, so each state
 * in which one is not chosen any more is its crash; and anybody may be taken for dead at any time
 * (Sweeper), rightly or not. M_... are the mutants: each leaves out or turns round one rule.
 */

/* Which processes a scene has: see check.sh. */
#ifndef WRITERS
#define WRITERS 1 /* at most 3; numbers 1 to 3 */
#endif
#ifndef DEAD
#define DEAD 0 /* 1: writer 3 died before the beginning; its pack and its session are there */
#endif
#ifndef PRUNES
#define PRUNES 1
#endif
#ifndef ROLES
#define ROLES 0 /* 1: of two prunes the first only deletes packs and the second only purges, twice */
#endif
#ifndef READERS
#define READERS 0
#endif
#ifndef DELETES
#define DELETES 0
#endif
#ifndef UNDELETES
#define UNDELETES 0
#endif
#ifndef SWEEPS
#define SWEEPS 0 /* sessions that somebody takes for dead */
#endif
#ifndef AFTER
#define AFTER 0 /* 1: after a power loss writer 2 and a prune go on */
#endif
#ifndef DAMAGE
#define DAMAGE 0 /* 1: a pack that the first backup names was lost by no fault of ours */
#endif

/* Backups: 0 is there from the beginning, 1 to 3 are the writers' own. */
#define BACKUPS 4
#define LAST_WRITER 3
/* What stands at a manifest's name. GONE: purged (nothing stands there). */
#define NONE 0
#define COMMITTED 1
#define TOMBSTONE 2
#define GONE 3
byte slot[BACKUPS];
byte names[BACKUPS]; /* the packs that the manifest names, as bits */
byte marker[BACKUPS]; /* trash/<id>: 0 none, else how often it was deleted (each marker is unique) */
byte deleted[BACKUPS];
/* Who decided about a marker, put if absent: bit 2n purge, bit 2n+1 undelete, of the n-th marker. */
byte decided[BACKUPS];
#define PURGE_OF(g) (1 << (2 * (g)))
#define UNDELETE_OF(g) (2 << (2 * (g)))
#define MARKERS_MAX 2

/* Sessions, as bits: 0 nobody; 1 to 3 writers; 4 reader; 5, 6 undeletes; 7, 8 prunes. */
short sessions;
#define READER 4
#define UNDELETE 5
#define PRUNE 7
#define BIT(n) (1 << (n))
byte may_use[LAST_WRITER + 1]; /* the packs that a writer's session names */
byte parents[LAST_WRITER + 1]; /* the backup that it builds on, 255 for none */
byte reads[7];                 /* the backup that a reader's or undelete's session names */

/* Packs, as bits: n is the data pack of writer n (0: of the first backup), n + 4 its recipes. */
byte packs;
byte durable; /* those that survive a power loss */
byte ever;    /* every name that was given */
#define OWN(w) (BIT(w) | BIT((w) + 4))

/* What the checker knows and no process does. */
byte purged;   /* backups that a purge has decided about */
byte lost;     /* packs that damage took */
byte restored; /* backups that an undelete reported as there again, and nobody deleted since */
#ifdef POWER
byte phase = 1;   /* 2: after the power loss; whoever ran before is gone */
byte gone_sure;   /* backups whose deletion survives a power loss */
byte unmark_sure; /* the same of the removal of their last marker */
#define ALIVE (phase == born)
#else
#define ALIVE true
#endif

/* A step of a process, which ends where the power has failed. */
#ifdef POWER
#define STEP(x) if :: d_step { phase == born -> x } :: phase != born -> goto out fi
#define CHOICE(x) if :: atomic { phase == born -> x } :: phase != born -> goto out fi
#else
#define STEP(x) d_step { x }
#define CHOICE(x) atomic { x }
#endif

#define SOUND(b) ((names[b] & ~lost & ~packs) == 0)
/* A backup that nobody may lose: committed, and no purge has decided about it. */
#define KEPT(b) (slot[b] == COMMITTED && !(purged & BIT(b)))
#define ALL_SOUND \
    ((!KEPT(0) || SOUND(0)) && (!KEPT(1) || SOUND(1)) && (!KEPT(2) || SOUND(2)) && (!KEPT(3) || SOUND(3)))

/* -- the writer ----------------------------------------------------------------------------- */

/* Puts a tombstone, if nothing stands there. */
#ifdef M_FENCE_OVERWRITES
#define FENCE(w) slot[w] = TOMBSTONE
#else
#define FENCE(w) if :: slot[w] == NONE -> slot[w] = TOMBSTONE :: else fi
#endif

#define CHECK_PARENTS \
    if :: parent != 255 -> \
        STEP(stands = (marker[parent] == 0 M_MARKED_PARENT)); \
        STEP(stands = stands && slot[parent] == COMMITTED) \
    :: else fi; \
    if :: dead && stands -> STEP(stands = (sessions & BIT(dead)) != 0) :: else fi; \
    if :: !stands -> goto gives_up :: else fi
#ifdef M_PARENT_MAY_BE_MARKED
#define M_MARKED_PARENT || true
#else
#define M_MARKED_PARENT
#endif

#ifdef M_CONTENT_NAMES
#define DATA BIT(7) /* the same bytes, the same name; it is there already, of a run long ago */
#define RECIPES 0
#else
#define DATA BIT(me)
#ifdef POWER
#define RECIPES BIT(me + 4)
#else
#define RECIPES 0
#endif
#endif

proctype Writer(byte me; byte born)
{
    byte parent = 255, dead = 0, reuse = 0, taken = 0, unsafe = 0;
    bool stands = true, committed = false;

    /* Sessions of writers that seem dead: fenced, then their packs are ours to use. */
    if
    :: true
    :: CHOICE(if
              :: me != 1 && (sessions & BIT(1)) -> dead = 1
              :: me != 2 && (sessions & BIT(2)) -> dead = 2
              :: me != 3 && (sessions & BIT(3)) -> dead = 3
              :: else
              fi);
#ifndef M_TAKE_WITHOUT_FENCE
        if
        :: dead ->
            STEP(FENCE(dead));
            if
            :: slot[dead] == COMMITTED || slot[dead] == GONE ->
                STEP(sessions = sessions & ~BIT(dead));
                dead = 0
            :: else
            fi
        :: else
        fi
#endif
    fi;
    /* A parent, its manifest read, its packs looked at. */
    CHOICE(if
           :: true
           :: slot[0] == COMMITTED -> parent = 0
           :: slot[1] == COMMITTED -> parent = 1
           :: slot[2] == COMMITTED -> parent = 2
           fi;
           if
           :: parent != 255 ->
#ifdef M_PACKS_NOT_LOOKED_AT
               reuse = names[parent]
#else
               reuse = names[parent] & packs
#endif
           :: else
           fi);
    if
    :: dead -> STEP(taken = OWN(dead) & packs)
    :: else
    fi;
#ifdef M_REUSE_ANYTHING
    STEP(reuse = reuse | packs);
#endif
#ifdef M_CHECK_BEFORE_SESSION
    CHECK_PARENTS;
#endif
#ifndef M_WRITER_WITHOUT_SESSION
#ifdef M_SESSION_WITHOUT_NAMES
    STEP(parents[me] = parent; sessions = sessions | BIT(me));
#else
    STEP(parents[me] = parent; may_use[me] = reuse | taken; sessions = sessions | BIT(me));
#endif
#endif
#if !defined(M_CHECK_BEFORE_SESSION) && !defined(M_NO_CHECK)
    CHECK_PARENTS;
#endif
#ifdef M_MANIFEST_FIRST
    STEP(if :: slot[me] == NONE -> slot[me] = COMMITTED; names[me] = reuse | taken | DATA;
             assert(SOUND(me)) :: else fi);
#endif
#ifndef M_CONTENT_NAMES
    STEP(assert(!(ever & DATA)); ever = ever | DATA; packs = packs | DATA);
#else
    STEP(packs = packs | DATA);
#endif
    /* The dead one's are read from end to end before they are used. */
    if
    :: taken -> STEP(taken = taken & packs)
    :: else
    fi;
#ifdef POWER
#ifdef M_NOT_ADOPTED
#define ADOPTED 0
#else
#define ADOPTED taken
#endif
#if !defined(M_NO_BARRIER) && !defined(M_NO_FIRST_BARRIER)
    STEP(durable = durable | ((DATA | ADOPTED) & packs));
#endif
    STEP(assert(!(ever & RECIPES)); ever = ever | RECIPES; packs = packs | RECIPES);
#if !defined(M_NO_BARRIER) && !defined(M_NO_SECOND_BARRIER)
    STEP(durable = durable | ((DATA | ADOPTED | RECIPES) & packs));
#endif
#endif
    /* The commit: put if absent. Its answer may be lost, and it is then put again. */
    unsafe = 0;
again:
    CHOICE(
#ifdef M_COMMIT_OVERWRITES
        if :: true ->
#else
        if :: slot[me] == NONE ->
#endif
            assert(slot[me] != TOMBSTONE);
            slot[me] = COMMITTED;
            names[me] = reuse | taken | DATA | RECIPES;
            assert((names[me] & ~packs) == 0); /* no half backup, and nothing that was lost before */
            if :: unsafe == 0 -> unsafe = 1 :: committed = true fi
        :: else ->
            /* Somebody's bytes are there: compared with ours. */
#ifdef M_TRUST_EXISTS
            committed = true
#else
            committed = (slot[me] == COMMITTED)
#endif
        fi);
    if :: unsafe == 1 && !committed -> unsafe = 2; goto again :: else fi;
    assert(!committed || slot[me] == COMMITTED || slot[me] == GONE);
    if :: !committed -> goto out :: else fi;
    STEP(sessions = sessions & ~BIT(me));
    if
    :: dead -> STEP(sessions = sessions & ~BIT(dead))
    :: else
    fi;
    goto out;
gives_up:
    true;
    STEP(sessions = sessions & ~BIT(me));
out:
    true;
    d_step { parent = 0; dead = 0; reuse = 0; taken = 0; unsafe = 0; stands = false; committed = false }
}

/* -- the reader: restore -------------------------------------------------------------------- */

proctype Reader(byte me; byte born)
{
    byte b = 0, need = 0, pack = 0;
    bool began = false;

    CHOICE(if :: true -> b = 0 :: WRITERS > 0 -> b = 1 fi);
#if !defined(M_READER_WITHOUT_SESSION) && !defined(M_READER_LATE)
    STEP(reads[me] = b; sessions = sessions | BIT(me));
#endif
    STEP(began = (marker[b] == 0));
    if :: !began -> goto ends :: else fi; /* "it was deleted" */
    STEP(began = (slot[b] == COMMITTED); need = (began -> names[b] : 0));
    if :: !began -> goto ends :: else fi; /* "not found" */
#ifdef M_READER_LATE
    STEP(reads[me] = b; sessions = sessions | BIT(me));
#endif
    need = need & ~lost;
    do
    :: need ->
        /* Any of them. One that is missing it says so, which only one that was taken for dead may have to. */
        STEP(pack = need & ~(need - 1);
             need = need & ~pack;
#ifdef M_READER_WITHOUT_SESSION
             assert(packs & pack)
#else
             assert((packs & pack) || !(sessions & BIT(me)))
#endif
             )
    :: else -> break
    od;
ends:
    true;
    STEP(sessions = sessions & ~BIT(me));
out:
    true;
    d_step { b = 0; need = 0; pack = 0; began = false }
}

/* -- delete, undelete ----------------------------------------------------------------------- */

proctype Deleter(byte born)
{
    byte b = 0, n = 0;
    bool there = false;
    do
    :: n < DELETES ->
        CHOICE(if :: true -> b = 0 :: WRITERS > 0 -> b = 1 fi; n++);
        STEP(there = (slot[b] == COMMITTED));
        if
        :: there ->
#ifdef M_DELETE_AT_ONCE
            STEP(slot[b] = GONE; purged = purged | BIT(b); restored = restored & ~BIT(b))
#else
            STEP(if
                 :: marker[b] == 0 && deleted[b] < MARKERS_MAX ->
                     deleted[b]++;
                     marker[b] = deleted[b];
                     restored = restored & ~BIT(b)
                 :: else
                 fi)
#endif
        :: else
        fi
    :: else -> break
    od;
out:
    true;
    d_step { b = 0; n = 0; there = false }
}

proctype Undelete(byte me; byte born)
{
    byte b = 0, g = 0, n = 0;
    bool may = false, good = false, was = false;
    CHOICE(if :: true -> b = 0 :: WRITERS > 0 -> b = 1 fi);
#ifndef M_UNDELETE_WITHOUT_SESSION
    STEP(reads[me] = b; sessions = sessions | BIT(me));
#endif
#ifdef M_UNDELETE_BY_LOOKING
    /* The order of an earlier draft: gives up where a prune is visible, then looks again. */
    STEP(may = !(sessions & (BIT(PRUNE) | BIT(PRUNE + 1))));
    if :: !may -> goto ends :: else fi;
#endif
    STEP(g = marker[b]);
    if :: g == 0 -> goto ends :: else fi;
#ifndef M_UNDELETE_BY_LOOKING
    /* The decision: put if absent. */
    STEP(if :: !(decided[b] & PURGE_OF(g)) -> decided[b] = decided[b] | UNDELETE_OF(g); may = true
         :: else -> may = false fi);
    if :: !may -> goto ends :: else fi; /* "it is being purged" */
#endif
#ifndef M_UNDELETE_DOES_NOT_LOOK
    STEP(may = (slot[b] == COMMITTED));
    if :: !may -> goto ends :: else fi;
#endif
    STEP(n = deleted[b];
         was = (marker[b] != 0);
         good = KEPT(b) && SOUND(b);
         if :: marker[b] != 0 -> marker[b] = 0
#ifdef POWER
             ; unmark_sure = unmark_sure & ~BIT(b)
#endif
         :: else
         fi);
#if defined(POWER) && !defined(M_UNDELETE_WITHOUT_BARRIER)
    STEP(if :: marker[b] == 0 -> unmark_sure = unmark_sure | BIT(b) :: else fi);
#endif
#ifndef M_UNDELETE_OWN_SESSION_NOT_LOOKED_AT
    STEP(may = (sessions & BIT(me)) != 0);
    if :: !may -> goto out :: else fi; /* taken for dead: "look at the list" */
#endif
    if :: !was -> goto ends :: else fi; /* somebody else's undelete or purge was quicker: says so */
    /* Success is reported. It is for ever, but for another delete. */
    STEP(assert(good); if :: deleted[b] == n -> restored = restored | BIT(b) :: else fi);
ends:
    true;
    STEP(sessions = sessions & ~BIT(me));
out:
    true;
    d_step { b = 0; g = 0; n = 0; may = false; good = false; was = false }
}

/* -- prune ---------------------------------------------------------------------------------- */

#define LOOK_AT_SESSION(w) \
    STEP(if :: sessions & BIT(w) -> keep = keep | OWN(w) | may_use[w] :: else fi)
#ifdef M_IGNORE_UNREADABLE
#define LOOK_AT_BACKUP(b) \
    if :: true :: STEP(if :: slot[b] == COMMITTED -> keep = keep | names[b] :: else fi) fi
#else
#define LOOK_AT_BACKUP(b) STEP(if :: slot[b] == COMMITTED -> keep = keep | names[b] :: else fi)
#endif
/* In either direction: a folder's order is nobody's choice. */
#if WRITERS + DEAD + AFTER == 0
#define SESSIONS_UP true
#define SESSIONS_DOWN true
#define BACKUPS_UP LOOK_AT_BACKUP(0)
#define BACKUPS_DOWN LOOK_AT_BACKUP(0)
#elif WRITERS + AFTER == 1
#if DEAD
#define SESSIONS_UP LOOK_AT_SESSION(1); LOOK_AT_SESSION(3)
#define SESSIONS_DOWN LOOK_AT_SESSION(3); LOOK_AT_SESSION(1)
#else
#define SESSIONS_UP LOOK_AT_SESSION(1)
#define SESSIONS_DOWN LOOK_AT_SESSION(1)
#endif
#define BACKUPS_UP LOOK_AT_BACKUP(0); LOOK_AT_BACKUP(1)
#define BACKUPS_DOWN LOOK_AT_BACKUP(1); LOOK_AT_BACKUP(0)
#else
#define SESSIONS_UP LOOK_AT_SESSION(1); LOOK_AT_SESSION(2)
#define SESSIONS_DOWN LOOK_AT_SESSION(2); LOOK_AT_SESSION(1)
#define BACKUPS_UP LOOK_AT_BACKUP(0); LOOK_AT_BACKUP(1); LOOK_AT_BACKUP(2)
#define BACKUPS_DOWN LOOK_AT_BACKUP(2); LOOK_AT_BACKUP(1); LOOK_AT_BACKUP(0)
#endif
#define LIST_SESSIONS if :: SESSIONS_UP :: SESSIONS_DOWN fi
#define LIST_BACKUPS if :: BACKUPS_UP :: BACKUPS_DOWN fi
#define READ_BY(s, b) ((sessions & BIT(s)) && reads[s] == (b))
#ifdef M_PURGE_IGNORES_READERS
#define IS_READ(b) false
#else
#define IS_READ(b) (READ_BY(READER, b) || READ_BY(UNDELETE, b) || READ_BY(UNDELETE + 1, b))
#endif
#define BUILT_ON_BY(w, b) ((sessions & BIT(w)) && parents[w] == (b))
#ifdef M_PURGE_IGNORES_WRITERS
#define IS_BUILT_ON(b) false
#else
#define IS_BUILT_ON(b) (BUILT_ON_BY(1, b) || BUILT_ON_BY(2, b))
#endif
#ifdef M_PURGING_BY_A_DEAD_ONE
#define OWN_THERE true
#else
#define OWN_THERE (sessions & BIT(me))
#endif

proctype Prune(byte me; byte born)
{
    byte b = 255, g = 0, listed = 0, keep = 0;
    bool may = false, second = false;

    STEP(sessions = sessions | BIT(me));
    if
    :: ROLES && me == PRUNE -> goto after_purge
    :: else
    fi;
next_purge:
    true;

#ifdef M_PACKS_BEFORE_PURGE
    STEP(listed = packs);
    LIST_SESSIONS;
#endif
    /* Purge one (what holds for one holds for the next). */
#ifdef M_PURGE_SESSIONS_FIRST
    CHOICE(if :: b = 0 :: WRITERS > 0 -> b = 1 fi; may = !IS_READ(b) && !IS_BUILT_ON(b) && OWN_THERE);
    STEP(g = marker[b]; may = may && g != 0);
    if :: !may -> goto after_purge :: else fi;
#else
    CHOICE(if
           :: true
           :: marker[0] -> b = 0; g = marker[0]
           :: WRITERS > 0 && marker[1] -> b = 1; g = marker[1]
           fi);
    if :: b == 255 -> goto after_purge :: else fi;
    STEP(may = (!IS_READ(b) && !IS_BUILT_ON(b) && OWN_THERE) || (decided[b] & PURGE_OF(g)));
    if :: !may -> goto after_purge :: else fi;
#endif
#ifndef M_MARKER_NOT_LOOKED_AT_AGAIN
    /* Two undeletes of an earlier marker: the slower one may have taken this one away. */
    STEP(may = (marker[b] == g));
    if :: !may -> goto after_purge :: else fi;
#endif
#ifdef M_UNDELETE_BY_LOOKING
    STEP(purged = purged | BIT(b));
#else
    STEP(if
         :: decided[b] & UNDELETE_OF(g) -> may = false
         :: else -> may = true;
             decided[b] = decided[b] | PURGE_OF(g);
             if :: slot[b] == COMMITTED -> purged = purged | BIT(b) :: else fi
         fi);
#endif
    if :: !may -> goto after_purge :: else fi;
#ifdef M_MARKER_FIRST
    STEP(marker[b] = 0);
#endif
    STEP(if
         :: slot[b] == COMMITTED ->
             slot[b] = GONE;
#ifndef M_MARKER_FIRST
             assert(!(restored & BIT(b)));
#if UNDELETES < 2 || SWEEPS == 0 /* the one limit: see README.md */
             assert(marker[b] == g);
#endif
#endif
             may = true
         :: else -> may = false
         fi);
#ifdef POWER
    /* Also where somebody else deleted it and may not have lived to its barrier. */
#ifdef M_NOT_ADOPTED_GONE
    if :: may -> STEP(gone_sure = gone_sure | BIT(b)) :: else fi;
#else
#ifndef M_PURGE_WITHOUT_BARRIER
    STEP(if :: slot[b] == GONE -> gone_sure = gone_sure | BIT(b) :: else fi);
#endif
#endif
#endif
#ifndef M_MARKER_FIRST
    STEP(if :: marker[b] != 0 -> marker[b] = 0
#ifdef POWER
         ; unmark_sure = unmark_sure & ~BIT(b)
#endif
         :: else fi);
#endif
    STEP(decided[b] = decided[b] & ~PURGE_OF(g));
    if
    :: ROLES && !second -> second = true; d_step { b = 255; g = 0; may = false }; goto next_purge
    :: else
    fi;
after_purge:
    true;
    if
    :: ROLES && me != PRUNE -> goto ends
    :: else
    fi;

    /* Packs. */
#ifndef M_PACKS_BEFORE_PURGE
#ifdef M_PACKS_LAST
    LIST_SESSIONS;
    LIST_SESSIONS;
    LIST_BACKUPS;
    STEP(listed = packs);
#else
    STEP(listed = packs);
#ifdef M_BACKUPS_FIRST
    LIST_BACKUPS;
    LIST_SESSIONS;
#else
    LIST_SESSIONS;
#ifndef M_SESSIONS_ONCE
    SESSIONS_UP;
#endif
#endif
#endif
#endif
#if !defined(M_PACKS_LAST) && !defined(M_BACKUPS_FIRST)
    LIST_BACKUPS;
    BACKUPS_UP;
#endif
#ifndef M_OWN_SESSION_NOT_LOOKED_AT
    STEP(may = (sessions & BIT(me)) != 0);
    if :: !may -> goto out :: else fi; /* taken for dead: says so */
#endif
    STEP(packs = packs & ~(listed & ~keep); assert(ALL_SOUND));
ends:
    true;
    STEP(sessions = sessions & ~BIT(me));
out:
    true;
    d_step { b = 0; g = 0; listed = 0; keep = 0; may = false; second = false }
}

/* Takes sessions for dead, rightly or not: prunes do it, and writers with those that they meet. */
proctype Sweeper(byte born)
{
    byte n = 0, s = 0;
    do
    :: n < SWEEPS ->
        CHOICE(n++;
            if
            :: sessions & BIT(1) -> s = 1
            :: sessions & BIT(2) -> s = 2
            :: sessions & BIT(3) -> s = 3
            :: sessions & BIT(READER) -> s = READER
            :: sessions & BIT(UNDELETE) -> s = UNDELETE
            :: sessions & BIT(PRUNE) -> s = PRUNE
            :: sessions & BIT(PRUNE + 1) -> s = PRUNE + 1
            :: true -> s = 0
            fi);
#ifndef M_SWEEP_WITHOUT_FENCE
        if
        :: s >= 1 && s <= LAST_WRITER -> STEP(FENCE(s))
        :: else
        fi;
#endif
        if
        :: s -> STEP(sessions = sessions & ~BIT(s))
        :: else
        fi;
#ifdef M_TOMBSTONE_REMOVED
        if
        :: s >= 1 && s <= LAST_WRITER -> STEP(if :: slot[s] == TOMBSTONE -> slot[s] = NONE :: else fi)
        :: else
        fi;
#endif
        s = 0
    :: else -> break
    od;
out:
    true;
    d_step { n = 0; s = 0 }
}

#ifdef POWER
/* The power fails: what no barrier had covered may be gone, or be back. Then life goes on. */
#define MAY_LOSE(n) \
    if :: (packs & ~durable & BIT(n)) -> packs = packs & ~BIT(n) :: true fi
#define MAY_RETURN(b) \
    if :: slot[b] == GONE && !(gone_sure & BIT(b)) -> slot[b] = COMMITTED :: true fi; \
    if :: marker[b] == 0 && deleted[b] && !(unmark_sure & BIT(b)) -> marker[b] = deleted[b] :: true fi
/* A purged one that is back is marked as it was; one that undelete promised is there, unmarked. */
#define PROMISED(b) \
    ((slot[b] != COMMITTED || !(purged & BIT(b)) || marker[b] != 0) && \
     (!(restored & BIT(b)) || (slot[b] == COMMITTED && marker[b] == 0)))
proctype Power()
{
    atomic {
        phase = 2;
        MAY_LOSE(1); MAY_LOSE(2); MAY_LOSE(3); MAY_LOSE(5); MAY_LOSE(6); MAY_LOSE(7);
        MAY_RETURN(0); MAY_RETURN(1);
        assert(ALL_SOUND && PROMISED(0) && PROMISED(1));
        durable = packs;
        gone_sure = 255;
        unmark_sure = 255;
#if AFTER
        run Writer(2, 2);
        run Prune(PRUNE + 1, 2)
#endif
    }
}
#endif

init
{
    atomic {
        slot[0] = COMMITTED;
        names[0] = BIT(0);
        packs = BIT(0);
#if DAMAGE
        names[0] = BIT(0) | BIT(4);
        lost = BIT(4);
#endif
#ifdef M_CONTENT_NAMES
        packs = packs | BIT(7);
#endif
#if DEAD
        sessions = BIT(3);
        may_use[3] = 0;
        packs = packs | BIT(3);
#endif
        ever = packs;
#ifdef POWER
        durable = BIT(0);
#else
        durable = 255;
#endif
        if :: WRITERS > 0 -> run Writer(1, 1) :: else fi;
#if AFTER == 0
        if :: WRITERS > 1 -> run Writer(2, 1) :: else fi;
#endif
        if :: PRUNES > 0 -> run Prune(PRUNE, 1) :: else fi;
        if :: PRUNES > 1 -> run Prune(PRUNE + 1, 1) :: else fi;
        if :: READERS > 0 -> run Reader(READER, 1) :: else fi;
        if :: DELETES > 0 -> run Deleter(1) :: else fi;
        if :: UNDELETES > 0 -> run Undelete(UNDELETE, 1) :: else fi;
        if :: UNDELETES > 1 -> run Undelete(UNDELETE + 1, 1) :: else fi;
        if :: SWEEPS > 0 -> run Sweeper(1) :: else fi;
#ifdef POWER
        run Power()
#endif
    }
}
