/* Model of leases (src/chan/ring_lease.c, with ring_get.c), for spin.
 * SPDX-License-Identifier: MIT
 *
 * Workers take items, and end what they have: a lease with an ack or a nack, a borrowed item with
 * its release. Another thread of the first worker's process ends leases of that too, some of them
 * late. Up to KILLS processes are killed at any step, within repairs too; a worker may leave when it
 * has nothing; one stays. All items are in the ring at the start, so what a putter does is the other
 * models'; so is how records that are in hand are found (ring.pml), and the bell, which is one step
 * here (wake.pml). An item that lies in a parcel is not here, nor are two lanes.
 *
 * A step is one access to what others may change or look at at the same time. What only the holder
 * of get_lock touches goes with the step before or after it, but for a write that a death may leave
 * half done; a look at several entries is one step, as nobody but the holder of the lock takes one
 * of them up again. Who waits is not killed: it has nothing, and a wake goes with who is killed after
 * it. A sleeper is woken by the bell. The slice after which it looks thoroughly comes only when
 * somebody has died since its last thorough look: without a death no wake may be lost. The look for
 * the dead that comes when 50 ms have passed comes LOOKS times, or never.
 *
 * What holds, in every state that can be reached:
 *   - nobody is handed an item that a living worker has, or one that is finished;
 *   - a lease is ended once, and by its owner: whoever ends it after that is told so;
 * and when nothing can move any more:
 *   - every item is finished: none is lost, nobody sleeps while there is one to be had;
 *   - of a closed queue, everybody who lives has been told of the end.
 *
 * Mutants, each of which must fail (models/run): -DMUTANT=n
 *   1  who takes over the lock does not decide what is NEW
 *   2  what is NEW always comes back
 *   3  what is NEW is always void
 *   4  what is NEW is void though its record is DONE
 *   5  the ring hands over before the entry is NEW
 *   6  the entry is HELD before the ring hands over
 *   7  an ack looks only whether it is leased to this process
 *   8  an ack looks, and then stores
 *   9  nobody looks for what the dead had
 *  10  what a living process has comes back
 *  11  what the dead had is not looked at again after the look whether they are dead
 *  12  a nack does not raise has_back
 *  13  has_back is raised before the nack
 *  14  has_back is cleared after the look
 *  15  has_back stays cleared when something was found
 *  16  a nack does not ring the bell
 *  17  who finds no entry does not look again when is_short is raised
 *  18  an ack rings only for those of a closed queue
 *  19  an ack does not ring for those of a closed queue
 *  20  a closed queue is drained though something is leased
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef WORKERS /* 2 or 3 */
#define WORKERS 2
#endif
#ifndef KILLS /* fewer than there are workers */
#define KILLS 1
#endif
#ifndef ITEMS
#define ITEMS 2
#endif
#ifndef ENTRIES /* 1 or 2 */
#define ENTRIES 1
#endif
#ifndef NACKS
#define NACKS 1
#endif
#ifndef LATE /* leases that the other thread ends */
#define LATE 1
#endif
#ifndef LOOKS /* for the dead, that nobody's death calls for */
#define LOOKS 1
#endif
#ifndef CLOSED
#define CLOSED 0
#endif
#ifndef BORROWS /* do they borrow and get items, too? */
#define BORROWS 0
#endif

/* entries */
#define FREE 0
#define NEW 1
#define HELD 2
#define BORROWED 3
#define BACK 4

/* records */
#define READY 0
#define TAKEN 1
#define DONE 2

typedef entry_type {
    byte state, owner, token; /* one word */
    byte item
};

entry_type entry[ENTRIES];
byte record[ITEMS], taker[ITEMS]; /* the ring */
byte fre, take;                   /* positions; an item is that of its record */
byte get_lock, token;
bool has_back, is_short;
bool dead[WORKERS + 1];
byte kills, nacks, looks, n_gone;

/* the bell */
#define AWAKE 0
#define ANNOUNCED 1 /* and it has not changed since */
#define ASLEEP 2
bool hint;
byte at_bell[WORKERS + 1];

/* ghosts */
byte user[ITEMS]; /* who has it; 0: nobody */
bool finished[ITEMS], has_ended[WORKERS + 1];

/* Somebody stays. */
#define MAY_GO (n_gone < WORKERS - 1)
#define KILL dead[me] = true; kills++; n_gone++; at_bell[me] = AWAKE; goto killed
/* A step, for which it may have to wait; before it the process may be killed. */
#define WHEN(condition, x)                                                  \
    if                                                                      \
    :: atomic { !dead[me] && (condition) -> x }                             \
    :: atomic { !dead[me] && (condition) && kills < KILLS && MAY_GO -> KILL } \
    :: atomic { dead[me] -> goto killed }                                   \
    fi
#define STEP(x) WHEN(true, x)

/* ---- the bell ---- */

#define AGES(p) at_bell[p] = (at_bell[p] == ANNOUNCED -> AWAKE : at_bell[p])
#if WORKERS == 3
#define CHANGED AGES(1); AGES(2); AGES(3)
#define WAKE_ALL at_bell[1] = AWAKE; at_bell[2] = AWAKE; at_bell[3] = AWAKE
#define WAKE_ONE                                                            \
    if                                                                      \
    :: at_bell[1] == ASLEEP -> at_bell[1] = AWAKE                           \
    :: at_bell[2] == ASLEEP -> at_bell[2] = AWAKE                           \
    :: at_bell[3] == ASLEEP -> at_bell[3] = AWAKE                           \
    :: else                                                                 \
    fi
#else
#define CHANGED AGES(1); AGES(2)
#define WAKE_ALL at_bell[1] = AWAKE; at_bell[2] = AWAKE
#define WAKE_ONE                                                            \
    if                                                                      \
    :: at_bell[1] == ASLEEP -> at_bell[1] = AWAKE                           \
    :: at_bell[2] == ASLEEP -> at_bell[2] = AWAKE                           \
    :: else                                                                 \
    fi
#endif

#define RING_ALL hint = false; WAKE_ALL
#define RING_ONE                                                            \
    if                                                                      \
    :: hint -> hint = false; CHANGED; WAKE_ONE                              \
    :: else                                                                 \
    fi
#define ANNOUNCE                                                            \
    if                                                                      \
    :: hint                                                                 \
    :: else -> hint = true; CHANGED                                         \
    fi;                                                                     \
    at_bell[me] = ANNOUNCED
#define MAY_GET (CLOSED || take < ITEMS || has_back)

/* ---- entries ---- */

#define IS(i, what) (entry[i].state == what)
#define IS_OUT(i) (IS(i, HELD) || IS(i, BORROWED))
#define OTHERS_HAVE(i) (IS_OUT(i) && entry[i].owner != me)
#define IN_OTHERS_HAND(j) (record[j] == TAKEN && taker[j] != me && j < take && j >= fre)
#define IS_NO_ITEM(j) (record[j] == DONE || (record[j] == TAKEN && !dead[taker[j]]))
#if ENTRIES == 2
#define ARE_OUT (IS(0, BACK) || OTHERS_HAVE(0) || IS(1, BACK) || OTHERS_HAVE(1))
#else
#define ARE_OUT (IS(0, BACK) || OTHERS_HAVE(0))
#endif
#if MUTANT == 20
#define IS_DRAINED true
#else
#define IS_DRAINED !ARE_OUT
#endif

#define SET(i, what, who) entry[i].state = what; entry[i].owner = who; entry[i].token = 0

/* It is handed to this worker; it is finished. */
#define HAND(j) assert(!finished[j] && (user[j] == 0 || dead[user[j]])); user[j] = me
#define FINISH(j) assert(!finished[j] && user[j] == me); user[j] = 0; finished[j] = true

#define HOLD                                                                \
    item = entry[i].item;                                                   \
    HAND(item);                                                             \
    token++;                                                                \
    mine = token;                                                           \
    SET(i, HELD, me);                                                       \
    entry[i].token = mine

/* The place of one in this state; else it goes on with what comes after it. */
#if ENTRIES == 2
#define FIND(what, otherwise)                                               \
    if                                                                      \
    :: IS(0, what) -> i = 0                                                 \
    :: IS(1, what) -> i = 1                                                 \
    :: else -> otherwise                                                    \
    fi
#else
#define FIND(what, otherwise)                                               \
    if                                                                      \
    :: IS(0, what) -> i = 0                                                 \
    :: else -> otherwise                                                    \
    fi
#endif

/* ---- what is done for the dead, with get_lock ---- */

#if MUTANT == 1
#define DECIDE(i) skip
#else
#if MUTANT == 2
#define IS_HANDED_OVER(j) true
#elif MUTANT == 3
#define IS_HANDED_OVER(j) false
#elif MUTANT == 4
#define IS_HANDED_OVER(j) (fre > j)
#else
#define IS_HANDED_OVER(j) (fre > j || record[j] == DONE)
#endif
#define DECIDE(i)                                                           \
    if                                                                      \
    :: IS(i, NEW) && IS_HANDED_OVER(entry[i].item) -> SET(i, BACK, 0)       \
    :: IS(i, NEW) && !IS_HANDED_OVER(entry[i].item) -> SET(i, FREE, 0)      \
    :: else                                                                 \
    fi
#endif
#if ENTRIES == 2
#define DECIDE_ALL DECIDE(0); DECIDE(1)
#else
#define DECIDE_ALL DECIDE(0)
#endif

/* The lowest record that a dead process had in hand is the next again. */
#define SWEEP                                                               \
    j = fre;                                                                \
    do                                                                      \
    :: j < take && record[j] == TAKEN && dead[taker[j]] -> take = j; break  \
    :: j < take && !(record[j] == TAKEN && dead[taker[j]]) -> j++           \
    :: j >= take -> break                                                   \
    od;                                                                     \
    j = 0

#define RECLAIM                                                             \
    do                                                                      \
    :: fre < take && record[fre] == DONE -> fre++                           \
    :: else -> break                                                        \
    od

#define CAN_LOCK (get_lock == 0 || dead[get_lock])
#define LOCK from_dead = (get_lock != 0); get_lock = me

inline recover()
{
    if
    :: from_dead ->
       STEP(take = (fre > take -> fre : take); DECIDE_ALL);
       STEP(has_back = true; SWEEP; from_dead = false)
    :: else
    fi
}

#if MUTANT == 9
#define IS_LOST false
#elif MUTANT == 10
#define IS_LOST IS_OUT(i)
#elif MUTANT == 11
#define IS_LOST dead[other]
#else
#define IS_LOST (dead[other] && IS_OUT(i))
#endif

/* Each is loaded, then its owner is looked at, then it is loaded again. */
inline look_for_dead()
{
    do
    :: i < ENTRIES ->
       STEP(other = (OTHERS_HAVE(i) -> entry[i].owner : 0));
       if
       :: other != 0 ->
          STEP(if
               :: IS_LOST -> SET(i, BACK, 0)
               :: else
               fi;
               other = 0)
       :: else
       fi;
       i++
    :: else -> break
    od;
    i = 0
}

/* ---- ending ---- */

#if MUTANT == 18
#define CONCERNS CLOSED
#elif MUTANT == 19
#define CONCERNS is_short
#else
#define CONCERNS (is_short || CLOSED)
#endif

/* An entry has become FREE: is somebody to be woken? */
inline whom_ended()
{
    STEP(rings = CONCERNS);
    if
    :: rings -> STEP(rings = hint)
    :: else
    fi;
    if
    :: rings -> STEP(is_short = false)
    :: else
    fi
}

inline wake_all()
{
    if
    :: rings -> STEP(RING_ALL; rings = false)
    :: else
    fi
}

#if MUTANT == 7
#define IS_MINE (IS(i, HELD) && entry[i].owner == me)
#else
#define IS_MINE (IS(i, HELD) && entry[i].owner == me && entry[i].token == mine)
#endif

/* A compare-and-swap: what is looked at before it, it looks at again. */
inline end_lease()
{
    if
    :: skip;
#if MUTANT == 8
       STEP(rings = IS_MINE);
       STEP(if
            :: !rings -> goto told
            :: else -> FINISH(item); SET(i, FREE, 0); rings = false
            fi);
#else
       STEP(if
            :: !IS_MINE -> goto told
            :: else -> FINISH(item); SET(i, FREE, 0)
            fi);
#endif
       whom_ended();
       wake_all()
    :: nacks < NACKS;
#if MUTANT == 13
       STEP(has_back = true);
#endif
       STEP(if
            :: !IS_MINE -> goto told
            :: else -> assert(user[item] == me); user[item] = 0; nacks++; SET(i, BACK, 0)
            fi);
#if MUTANT != 12 && MUTANT != 13
       STEP(has_back = true);
#endif
#if MUTANT != 16
       STEP(RING_ONE)
#endif
    fi
}

/* ---- workers ---- */

proctype Worker(byte me)
{
    byte i, j, item, mine, other, deaths;
    bool from_dead, is_thorough, looks_for_dead, waits, rings;

attempt:
    WHEN(CAN_LOCK, LOCK; deaths = (is_thorough -> kills : deaths));
    recover();
    /* those that came back */
    STEP(if
         :: looks < LOOKS -> looks++; looks_for_dead = true
         :: is_thorough -> looks_for_dead = true
         :: !is_thorough && !has_back -> goto walk
         :: !is_thorough && has_back
         fi);
    if
    :: looks_for_dead -> look_for_dead(); looks_for_dead = false
    :: else
    fi;
#if MUTANT != 14
    STEP(has_back = false);
#endif
    STEP(FIND(BACK, goto none_back));
#if MUTANT == 14
    STEP(has_back = false);
#endif
#if MUTANT != 15
    STEP(has_back = true);
#endif
    STEP(is_thorough = false;
         if
         :: HOLD; goto leased
#if BORROWS
         :: item = entry[i].item; HAND(item); SET(i, BORROWED, me); goto borrowed
         :: item = entry[i].item; HAND(item); FINISH(item); SET(i, FREE, 0)
#endif
         fi);
#if BORROWS
    atomic { i = 0; item = 0 };
    whom_ended();
    STEP(get_lock = 0);
    wake_all();
    goto got;
#endif
none_back:
#if MUTANT == 14
    STEP(has_back = false);
#endif
walk:
    STEP(if
         :: is_thorough -> SWEEP
         :: else
         fi;
         is_thorough = false;
         do
         :: take < ITEMS && IS_NO_ITEM(take) -> take++
         :: else -> break
         od);
    if
    :: fre < take -> STEP(RECLAIM)
    :: else
    fi;
    STEP(if
         :: take == ITEMS && CLOSED ->
            j = fre;
            do
            :: j < ITEMS && !IN_OTHERS_HAND(j) -> j++
            :: j < ITEMS && IN_OTHERS_HAND(j) -> j = 0; goto nothing
            :: j == ITEMS -> break
            od;
            j = 0;
            if
            :: IS_DRAINED -> goto drained
            :: else -> goto nothing
            fi
         :: take == ITEMS && !CLOSED -> goto nothing
         :: take < ITEMS ->
            item = take;
            if
            :: FIND(FREE, goto no_entry)
#if BORROWS
            :: HAND(item); record[item] = TAKEN; taker[item] = me; goto taken
            :: goto gets
#endif
            fi
         fi);
    goto move_in;
no_entry:
#if MUTANT == 17
    STEP(is_short = true; item = 0; goto nothing);
#else
    STEP(is_short = true);
    STEP(FIND(FREE, item = 0; goto nothing));
#endif
move_in:
    /* the item moves into an entry */
#if MUTANT == 6
    STEP(entry[i].item = item; HOLD);
#elif MUTANT != 5
    STEP(SET(i, NEW, me); entry[i].item = item);
#endif
    STEP(if
         :: fre == item -> fre++
         :: else -> record[item] = DONE; taker[item] = 0
         fi);
#if MUTANT == 5
    STEP(SET(i, NEW, me); entry[i].item = item);
#endif
    STEP(take = item + 1);
    if
    :: fre < take -> STEP(RECLAIM)
    :: else
    fi;
#if MUTANT != 6
    STEP(HOLD);
#endif
leased:
    STEP(get_lock = 0);
    if
    :: waits -> STEP(if
                     :: hint
                     :: else -> waits = false
                     fi);
                if
                :: waits -> STEP(if
                                 :: MAY_GET -> RING_ONE
                                 :: else
                                 fi;
                                 waits = false)
                :: else
                fi
    :: else
    fi;
    end_lease();
told:
    atomic { i = 0; item = 0; mine = 0; rings = false };
    if
    :: goto attempt
    :: atomic { !dead[me] && MAY_GO -> n_gone++; has_ended[me] = true; goto killed }
    fi;

#if BORROWS
taken:
    STEP(take = item + 1);
    STEP(get_lock = 0);
    STEP(assert(record[item] == TAKEN && taker[item] == me);
         FINISH(item); record[item] = DONE; taker[item] = 0; item = 0);
    STEP(if
         :: CAN_LOCK -> LOCK
         :: else -> goto got /* whoever wants room does it */
         fi);
    recover();
    STEP(RECLAIM);
    STEP(rings = CLOSED && hint);
    STEP(get_lock = 0);
    wake_all();
    goto got;
borrowed:
    STEP(get_lock = 0);
    STEP(assert(IS(i, BORROWED) && entry[i].owner == me);
         FINISH(item); SET(i, FREE, 0); i = 0; item = 0);
    whom_ended();
    wake_all();
    goto got;
gets:
    STEP(HAND(item); FINISH(item);
         if
         :: fre == item -> fre++
         :: else -> record[item] = DONE; taker[item] = 0
         fi);
    STEP(take = item + 1; item = 0);
    STEP(RECLAIM);
    STEP(get_lock = 0);
got:
    if
    :: waits -> STEP(if
                     :: hint && MAY_GET -> RING_ONE
                     :: else
                     fi;
                     waits = false)
    :: else
    fi;
    goto attempt;
#endif

nothing:
    STEP(get_lock = 0);
    if
    :: waits ->
       STEP(at_bell[me] = (at_bell[me] == ANNOUNCED -> ASLEEP : AWAKE));
       WHEN(at_bell[me] == AWAKE || kills != deaths,
            is_thorough = (at_bell[me] != AWAKE))
    :: else -> waits = true
    fi;
    STEP(ANNOUNCE);
    goto attempt;

drained:
    STEP(get_lock = 0);
    if
    :: waits -> STEP(RING_ONE)
    :: else
    fi;
    has_ended[me] = true;
killed:
    atomic { i = 0; j = 0; item = 0; mine = 0; other = 0; deaths = 0;
             from_dead = false; is_thorough = false; looks_for_dead = false;
             waits = false; rings = false }
}

/* Another thread of a worker's process: it was told of a lease, and ends it some time. */
#if LATE > 0
proctype Ender(byte me)
{
    byte n, i, item, mine;
    bool rings;

#define IS_LEASED(k) (IS(k, HELD) && entry[k].owner == me)
#define COPY(k) i = k; item = entry[k].item; mine = entry[k].token
    do
    :: n < LATE ->
       n++;
       if
       :: atomic { !dead[me] && IS_LEASED(0) -> COPY(0) }
#if ENTRIES == 2
       :: atomic { !dead[me] && IS_LEASED(1) -> COPY(1) }
#endif
       :: atomic { dead[me] -> goto killed }
       fi;
       end_lease();
told:
       atomic { i = 0; item = 0; mine = 0; rings = false }
    :: else -> break
    od;
killed:
    atomic { n = LATE; i = 0; item = 0; mine = 0; rings = false }
}
#endif

#define IS_THROUGH(p) (dead[p] || has_ended[p])

init
{
    byte k;

    atomic {
        run Worker(1);
        run Worker(2);
#if WORKERS == 3
        run Worker(3);
#endif
#if LATE > 0
        run Ender(1)
#endif
    }
    timeout;
    d_step {
        do
        :: k < ITEMS -> assert(finished[k]); k++
        :: else -> break
        od
    };
    assert(!CLOSED || (IS_THROUGH(1) && IS_THROUGH(2)));
#if WORKERS == 3
    assert(!CLOSED || IS_THROUGH(3))
#endif
}
