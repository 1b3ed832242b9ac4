/* Which backups cleanup may mark, and which sequence numbers are given: one lineage, a writer, two
 * cleanups and two prunes beside it, and somebody who deletes by hand. See keeping.pml for packs.
 */
#define BACKUPS 4 /* 0: whole and proven; 1: whole; 2: filtered; 3: made meanwhile, whole */
#define NONE 0
#define COMMITTED 1
#define GONE 2
byte slot[BACKUPS];
byte number[BACKUPS];
bool marked[BACKUPS];
byte lineage; /* lineages/: the highest number that was purged */

byte highest;    /* that any commit had: known to the checker only */
bool by_hand[BACKUPS];
#define THERE(b) (slot[b] == COMMITTED && !marked[b])
/* Good means complete and unfiltered. 0 is the last proven one. */
#define NEWER_GOOD(b) \
    (((b) < 1 && (THERE(1) || by_hand[1])) || ((b) < 3 && (THERE(3) || by_hand[3])))

/* A writer: the number after the highest it finds. It works as long as nobody else commits. */
proctype Writer()
{
    byte n = 0, before;
    d_step { before = highest }
#ifdef M_LINEAGES_READ_FIRST
    n = lineage;
#endif
    d_step { if :: slot[0] == COMMITTED && number[0] > n -> n = number[0] :: else fi }
    d_step { if :: slot[1] == COMMITTED && number[1] > n -> n = number[1] :: else fi }
    d_step { if :: slot[2] == COMMITTED && number[2] > n -> n = number[2] :: else fi }
#ifndef M_LINEAGES_READ_FIRST
    d_step { if :: lineage > n -> n = lineage :: else fi }
#endif
    d_step {
        assert(n + 1 > before);
        number[3] = n + 1;
        slot[3] = COMMITTED;
        highest = n + 1
    }
}

#define LOOK(b) d_step { if :: THERE(b) -> seen = seen | (1 << (b)) :: else fi }
#define HAS(set, b) ((set) & (1 << (b)))
/* Marks the old ones: all are old enough, so only the rules keep any. */
#define MARK(b) \
    if \
    :: HAS(seen, b) && !HAS(keep, b) -> \
        d_step { marked[b] = true; assert((b) == 2 || NEWER_GOOD(b)); assert((b) != 0) } \
    :: else \
    fi

proctype Cleanup()
{
    byte seen = 0, keep = 0;
    LOOK(0);
    LOOK(1);
    LOOK(2);
    LOOK(3);
    d_step {
        /* The last good one, and the last proven. */
#ifdef M_LAST_GOOD_GOES
        skip;
#elif defined(M_FILTERED_COUNTS)
        if
        :: HAS(seen, 3) -> keep = 8
        :: !HAS(seen, 3) && HAS(seen, 2) -> keep = 4
        :: else -> keep = seen & 3
        fi;
#else
        if
        :: HAS(seen, 3) -> keep = 8
        :: !HAS(seen, 3) && HAS(seen, 1) -> keep = 2
        :: else -> keep = seen & 1
        fi;
#endif
#ifndef M_PROVEN_GOES
        keep = keep | 1;
#endif
    }
    MARK(0);
    MARK(1);
    MARK(2);
    MARK(3);
}

proctype ByHand()
{
    byte b;
    select(b : 0 .. 3);
    d_step { if :: slot[b] == COMMITTED -> by_hand[b] = true; marked[b] = true :: else fi }
}

proctype Prune()
{
    byte b;
    select(b : 0 .. 3);
    if
    :: d_step { slot[b] == COMMITTED && marked[b] } ->
#ifndef M_NUMBER_FORGOTTEN
#ifndef M_NUMBER_AFTER
        d_step { if :: number[b] > lineage -> lineage = number[b] :: else fi }
#endif
#endif
        d_step { slot[b] = GONE }
#ifdef M_NUMBER_AFTER
        d_step { if :: number[b] > lineage -> lineage = number[b] :: else fi }
#endif
    :: else
    fi
}

init
{
    atomic {
        slot[0] = COMMITTED; number[0] = 1;
        slot[1] = COMMITTED; number[1] = 2;
        slot[2] = COMMITTED; number[2] = 3;
        highest = 3;
        run Writer();
        run Cleanup();
        run Cleanup();
        run ByHand();
        run Prune();
        run Prune()
    }
}
