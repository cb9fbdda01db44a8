/* Model of the owned-record ring (src/chan/ring*.c), for spin.
 * SPDX-License-Identifier: MIT
 *
 * Producers put items, small and large, and give up some of the large ones; consumers get them, as
 * small or as large ones; somebody closes the ring at any moment or never; up to KILLS processes are
 * killed at any step, within repairs too. A record is one place here, so there are no pads; an item
 * is its number.
 *
 * A step is one access to what others may change or look at at the same time: the tail, `fre`, the
 * state of a record that somebody has in hand, a lock; or the proof that somebody is dead. What only
 * the holder of a lock touches goes with the step before or after it, but for a write that a death may
 * leave half done; and so does a look at several records, as what others do between two of its reads
 * can as well be done before or after it. A sleeper is a step that waits until there would be something
 * to do: wakes are the other model's. A look is thorough or not, as it likes.
 *
 * What holds, in every state that can be reached:
 *   - no item is handed over twice, none that was not committed, none that is torn (assertions where
 *     an item is handed over);
 *   - a record in the hands of a living process is touched by nobody else (assertions at its commit
 *     and its hand-over);
 *   - free never passes the tail;
 *   - after a thorough look that found nothing, nothing is left that a dead process had in hand, and
 *     no reservation of one is in the way;
 * and when nothing can move any more:
 *   - nobody who lives is stuck: producers are through, consumers have been told of the end if
 *     there is one;
 *   - what was committed has been handed over, also when a getter died over it;
 *   - what never came has been counted, once.
 * The killer leaves one consumer alive, as nothing else can be asked of a queue without one.
 *
 * Mutants, each of which must fail (models/run): -DMUTANT=n
 *   1  a large item is handed over before it is copied
 *   2  what somebody has in hand is freed
 *   3  a small item: take is moved before free
 *   4  after a take-over of the lock, take stays before free
 *   5  nobody looks for what the dead had in hand
 *   6  the tail is moved before a small item is written
 *   7  who waits for room does not free anything
 *   8  an item in the hand of another process is taken from it, dead or not
 *   9  a closed ring is drained while somebody has an item in hand
 *  10  a put looks whether the ring is closed, and then moves the tail
 *  11  a reservation of the dead stays
 *  12  what was small is not DONE though somebody has an item in hand before it
 *  13  what never came is counted without a look whether it was counted
 *  14  a lock of the dead is not taken over
 *  15  what somebody had in hand is not looked at again after the proof that it is dead
 */
#ifndef KILLS
#define KILLS 1
#endif
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef ITEMS
#define ITEMS 2
#endif
#ifndef FIRST /* how many of them the first producer puts; the second one puts the rest */
#define FIRST 1
#endif
#ifndef LOOKS /* of getters, that nothing calls for: a slice was over */
#define LOOKS 1
#endif
#ifndef R /* records, 1 or 2 */
#define R 2
#endif

#define NONE 0
#define RSV 1
#define READY 2
#define SKIP 3
#define TAKEN 4
#define DONE 5

byte state[R], owner[R], value[R];
byte tail, take, fre; /* positions, ever growing */
bool closed;          /* a bit of the tail */
byte put_lock, get_lock;
byte skipped, skipped_last; /* one word: what never came: how many, and the last one */
bool dead[5];
byte kills, looks;
bool is_safe; /* the killer has had enough */

/* ghosts */
bool committed[4], has_ended[5];
byte handed[4], n_committed;

#if MUTANT == 8
#define LOST(p) (p != me)
#else
#define LOST(p) dead[p]
#endif
#if MUTANT == 2
#define CAN_BE_FREED(s) (s == DONE || s == SKIP || s == TAKEN)
#else
#define CAN_BE_FREED(s) (s == DONE || s == SKIP)
#endif
#define AT(i) ((i) % R)

/* A step; before it the process may be killed. Locals that do not matter any more are 0, so that
 * spin sees that two states are the same. */
#define MAY_DIE (kills < KILLS && !is_safe && !(me == 3 && dead[4]) && !(me == 4 && dead[3]))
#define STEP(x)                                              \
    if                                                       \
    :: atomic { x }                                          \
    :: atomic { MAY_DIE -> dead[me] = true; kills++; goto killed } \
    fi

#define TAKEN_BY_DEAD(i) (fre < take && state[i] == TAKEN && dead[owner[i]])
#define TAKEN_BY_OTHER(i) (fre < take && state[i] == TAKEN && owner[i] != me)
#if R == 1
#define DEAD_HAVE_SOME TAKEN_BY_DEAD(0)
#define OTHERS_HAVE_SOME TAKEN_BY_OTHER(0)
#else
#define DEAD_HAVE_SOME (TAKEN_BY_DEAD(0) || TAKEN_BY_DEAD(1))
#define OTHERS_HAVE_SOME (TAKEN_BY_OTHER(0) || TAKEN_BY_OTHER(1))
#endif

#if MUTANT == 9
#define IS_DRAINED EMPTY
#else
#define IS_DRAINED (EMPTY && !OTHERS_HAVE_SOME)
#endif

#define MOVE_TAIL                  \
    tail = mine + 1;               \
    committed[item] = !large;      \
    n_committed = n_committed + !large

/* Is there something that a tidy could do, or a getter? */
#define LOCK_OF_DEAD (get_lock != 0 && dead[get_lock])
#define AT_TAKE(s) (take < tail && state[AT(take)] == s)
#define RSV_OF_DEAD (AT_TAKE(RSV) && dead[owner[AT(take)]])
#define CAN_TIDY (LOCK_OF_DEAD || (fre < take && CAN_BE_FREED(state[AT(fre)])) || \
                  AT_TAKE(SKIP) || AT_TAKE(DONE) || RSV_OF_DEAD)
#define EMPTY (take == tail && closed)
#define CAN_GET (LOCK_OF_DEAD || DEAD_HAVE_SOME || EMPTY || \
                 (take < tail && (state[AT(take)] != RSV || dead[owner[AT(take)]])))

#if MUTANT == 14
#define CAN_HAVE(lock) (lock == 0)
#else
#define CAN_HAVE(lock) (lock == 0 || dead[lock])
#endif

/* Parts of a step, with get_lock. */

/* Frees what can be freed: how far, and then the store. What becomes DONE in between is not seen. */
#define LOOK_WHAT_IS_DONE                                   \
    at = fre;                                               \
    do                                                      \
    :: at < take && CAN_BE_FREED(state[AT(at)]) -> at++     \
    :: else -> break                                        \
    od
#define FREE_IT assert(fre <= at && at <= tail); fre = at; at = 0

/* The lowest record that a dead process had in hand is the next again. */
#if MUTANT == 5
#define SWEEP skip
#else
#define SWEEP                                                                        \
    at = fre;                                                                        \
    do                                                                               \
    :: at < take && state[AT(at)] == TAKEN && LOST(owner[AT(at)]) -> take = at; break \
    :: at < take && !(state[AT(at)] == TAKEN && LOST(owner[AT(at)])) -> at++          \
    :: else -> break                                                                 \
    od;                                                                              \
    at = 0
#endif

/* Taken over from a dead process: that may have handed over. */
#if MUTANT == 4
#define RECOVER SWEEP
#else
#define RECOVER take = (fre > take -> fre : take); SWEEP
#endif
#define LOCK_GET                                         \
    if                                                   \
    :: get_lock == 0 -> get_lock = me                    \
    :: else -> get_lock = me; RECOVER                    \
    fi
#define BE_THOROUGH_OR_NOT                               \
    if                                                   \
    :: is_thorough = true; SWEEP                         \
    :: is_thorough = false                               \
    fi

/* A proof takes time: whoever had it in hand may have dealt with it meanwhile, and died then. */
#if MUTANT == 15
#define LEFT_BY_DEAD LOST(whose)
#else
#define LEFT_BY_DEAD (LOST(whose) && state[AT(at)] == seen)
#endif
#if MUTANT == 11
#define IS_ASKED (seen == TAKEN)
#else
#define IS_ASKED (seen == TAKEN || (seen == RSV && is_thorough))
#endif
#if MUTANT == 13
#define COUNT_IT skipped++
#else
#define COUNT_IT                                                              \
    if                                                                        \
    :: skipped_last != at + 1 -> skipped++; skipped_last = at + 1             \
    :: else                                                                   \
    fi
#endif

#define END_AT(x) got = (x); seen = 0; whose = 0; take = at; LOOK_WHAT_IS_DONE

/* With get_lock, at == take: moves take to the first item, and frees; is there one? What never comes
 * is counted, then DONE. */
inline walk()
{
    do
    :: STEP(do
            :: at < tail && state[AT(at)] == DONE -> at++
            :: else -> break
            od;
            seen = (at < tail -> state[AT(at)] : NONE);
            if
            :: IS_ASKED -> whose = owner[AT(at)]
            :: !IS_ASKED && seen == SKIP
            :: else -> END_AT(seen == READY); break
            fi);
       if
       :: seen != SKIP ->
          STEP(if
               :: seen == TAKEN && LEFT_BY_DEAD -> END_AT(true); break
               :: seen == TAKEN && !LEFT_BY_DEAD -> at++; seen = 0; whose = 0
               :: seen == RSV && LEFT_BY_DEAD -> whose = 0
               :: seen == RSV && !LEFT_BY_DEAD -> END_AT(false); break
               fi)
       :: else
       fi;
       if
       :: seen == RSV -> STEP(state[AT(at)] = SKIP; seen = SKIP)
       :: else
       fi;
       if
       :: seen == SKIP -> STEP(COUNT_IT);
                          STEP(state[AT(at)] = DONE; seen = 0)
       :: else
       fi
    od;
    STEP(FREE_IT)
}

/* The hand-over, in the step that makes it. */
#define HAND_OVER assert(committed[item]); handed[item]++; assert(handed[item] == 1)

proctype Producer(byte me; byte item; byte last)
{
    byte at, mine, seen, whose;
    bool got, large, is_thorough;

again:
    do
    :: STEP(if
            :: CAN_HAVE(put_lock) && closed -> goto ended
            :: CAN_HAVE(put_lock) && !closed && tail - fre < R -> put_lock = me; mine = tail; break
#if MUTANT != 7
            /* it announces itself, and tidies */
            :: !closed && tail - fre == R && CAN_TIDY && CAN_HAVE(get_lock) ->
               LOCK_GET;
               BE_THOROUGH_OR_NOT;
               at = take
#endif
            fi);
       walk();
       STEP(get_lock = 0; got = false; is_thorough = false)
    od;
    /* written, behind the tail */
    STEP(if
         :: large = true; state[AT(mine)] = RSV; owner[AT(mine)] = me
#if MUTANT == 6
         :: large = false
#else
         :: large = false; state[AT(mine)] = READY; owner[AT(mine)] = 0; value[AT(mine)] = item
#endif
         fi);
#if MUTANT == 10
    STEP(if
         :: closed -> put_lock = 0; mine = 0; large = false; goto ended
         :: else
         fi);
    STEP(MOVE_TAIL);
#else
    STEP(if
         :: closed -> put_lock = 0; mine = 0; large = false; goto ended
         :: else -> MOVE_TAIL
         fi);
#endif
#if MUTANT == 6
    STEP(if
         :: !large -> state[AT(mine)] = READY; owner[AT(mine)] = 0; value[AT(mine)] = item
         :: else
         fi);
#endif
    STEP(put_lock = 0;
         if
         :: large
         :: else -> goto is_put
         fi);
    STEP(value[AT(mine)] = item);
    STEP(assert(state[AT(mine)] == RSV && owner[AT(mine)] == me);
         owner[AT(mine)] = 0;
         if
         :: state[AT(mine)] = READY; committed[item] = true; n_committed++
         :: state[AT(mine)] = SKIP
         fi);
is_put:
    atomic {
        mine = 0; large = false;
        if
        :: item < last -> item++; goto again
        :: else -> goto ended
        fi
    };
killed:
    atomic { at = 0; mine = 0; seen = 0; whose = 0; got = false; large = false; is_thorough = false;
             item = 0; goto gone };
ended:
    has_ended[me] = true;
gone:
    skip
}

proctype Consumer(byte me)
{
    byte at, item, mine, seen, whose, deaths;
    bool got, is_thorough;

    do
    :: STEP((CAN_GET || looks < LOOKS) && CAN_HAVE(get_lock) ->
            looks = (CAN_GET -> looks : looks + 1);
            deaths = kills;
            LOCK_GET;
            BE_THOROUGH_OR_NOT;
            at = take);
look:
       walk();
       STEP(if
            :: !got ->
               /* if nobody died meanwhile, nothing is left undone */
               assert(!is_thorough || kills != deaths || !(DEAD_HAVE_SOME || RSV_OF_DEAD));
               is_thorough = false; deaths = 0;
               get_lock = 0;
               if
               :: IS_DRAINED -> goto ended
               :: else -> goto asleep
               fi
#if MUTANT == 3
            :: got -> item = value[AT(take)]; mine = take; take++
#else
#if MUTANT == 12
            :: got ->
#else
            :: got && fre == take ->
#endif
               item = value[AT(take)]; HAND_OVER; fre++; assert(fre <= tail)
#if MUTANT != 12
            :: got && fre != take ->
               item = value[AT(take)]; HAND_OVER; state[AT(take)] = DONE; owner[AT(take)] = 0
#endif
#endif
            :: got -> state[AT(take)] = TAKEN; owner[AT(take)] = me; mine = take; goto is_taken
            fi;
            got = false; is_thorough = false; deaths = 0);
       /* handed over */
#if MUTANT == 3
       STEP(HAND_OVER; fre++; mine = 0; item = 0; LOOK_WHAT_IS_DONE);
#else
       STEP(take++; item = 0; LOOK_WHAT_IS_DONE);
#endif
       STEP(FREE_IT;
            if
            :: get_lock = 0; goto next
            :: at = take; goto look /* one of many */
            fi);
is_taken:
       STEP(take++; got = false; is_thorough = false; deaths = 0; get_lock = 0);
#if MUTANT == 1
       STEP(state[AT(mine)] = DONE; owner[AT(mine)] = 0);
       STEP(item = value[AT(mine)]; HAND_OVER; item = 0; mine = 0);
#else
       STEP(item = value[AT(mine)]);
       STEP(assert(state[AT(mine)] == TAKEN && owner[AT(mine)] == me && value[AT(mine)] == item);
            HAND_OVER; state[AT(mine)] = DONE; owner[AT(mine)] = 0; item = 0; mine = 0);
#endif
       STEP(if
            :: CAN_HAVE(get_lock) -> LOCK_GET; LOOK_WHAT_IS_DONE
            :: get_lock != 0 && !dead[get_lock] -> goto next /* whoever wants room does it */
            fi);
       STEP(FREE_IT; get_lock = 0; goto next);
asleep: /* until something else has happened than that the ring was closed */
       STEP(!EMPTY || LOCK_OF_DEAD || DEAD_HAVE_SOME || !OTHERS_HAVE_SOME -> skip);
next:
       skip
    od;
killed:
    atomic { at = 0; item = 0; mine = 0; seen = 0; whose = 0; deaths = 0; got = false;
             is_thorough = false; goto gone };
ended:
    has_ended[me] = true;
gone:
    skip
}

#define THROUGH(p) (dead[p] || has_ended[p])
#define COMES(item) (!committed[item] || handed[item] == 1)

init
{
    atomic {
        run Producer(1, 1, FIRST);
        if
        :: FIRST < ITEMS -> run Producer(2, FIRST + 1, ITEMS)
        :: else -> has_ended[2] = true
        fi;
        run Consumer(3);
        run Consumer(4)
    };
    /* nobody is killed any more, somebody closes the ring, both at some moment, or never */
    do
    :: !closed -> closed = true
    :: !is_safe -> is_safe = true
    :: break
    od;
    timeout;
    assert(THROUGH(1) && THROUGH(2));
    assert(!closed || (THROUGH(3) && THROUGH(4)));
    assert(COMES(1) && COMES(2) && COMES(3));
    assert(take < tail || skipped == tail - n_committed)
}
