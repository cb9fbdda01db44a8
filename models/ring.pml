/* Model of the owned-record ring (src/chan/ring*.c), for spin.
 * SPDX-License-Identifier: MIT
 *
 * Producers put items, small and large; two consumers get them, as small or as large ones;
 * somebody closes the ring at any moment or never; up to KILLS processes are killed at any step, within
 * repairs too. Each access to shared memory is one step, and whoever is dead takes no further one. A
 * sleeper is a step that waits until there would be something to do: wakes are the other model's.
 *
 * What holds, in every state that can be reached:
 *   - no item is handed over twice, none that was not committed, none that is torn (assertions where
 *     an item is handed over);
 *   - a record in the hands of a living process is touched by nobody else (assertions at its commit
 *     and its hand-over);
 *   - free never passes the tail;
 * and when nothing can move any more:
 *   - nobody who lives is stuck: producers are through, consumers have been told of the end if
 *     there is one;
 *   - what was committed has been handed over, also when a getter died over it.
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
 */
#ifndef KILLS
#define KILLS 1
#endif
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef ITEMS
#define ITEMS 3
#endif
#ifndef FIRST /* how many of them the first producer puts; the second one puts the rest */
#define FIRST 2
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
bool alive[5] = true;
byte kills;

/* ghosts */
bool committed[4], producer_ended[5], consumer_ended[5];
byte handed[4];

#define DEAD(p) (!alive[p])
#if MUTANT == 8
#define LOST(p) (p != me)
#else
#define LOST(p) DEAD(p)
#endif
#if MUTANT == 2
#define CAN_BE_FREED(s) (s == DONE || s == SKIP || s == TAKEN)
#else
#define CAN_BE_FREED(s) (s == DONE || s == SKIP)
#endif
#define AT(i) ((i) % R)
#define STEP(x) atomic { alive[me] -> x }
#define WHEN(c, x) atomic { alive[me] && (c) -> x }

/* Is there something that a tidy could do, or a getter? */
#define LOCK_OF_DEAD (get_lock != 0 && DEAD(get_lock))
#define AT_TAKE(s) (take < tail && state[AT(take)] == s)
#define CAN_TIDY (LOCK_OF_DEAD || (fre < take && (state[AT(fre)] == DONE || state[AT(fre)] == SKIP)) || \
                  AT_TAKE(SKIP) || AT_TAKE(DONE) || (AT_TAKE(RSV) && DEAD(owner[AT(take)])))
#define TAKEN_BY_DEAD(i) (fre < take && state[i] == TAKEN && DEAD(owner[i]))
#define TAKEN_BY_OTHER(i) (fre < take && state[i] == TAKEN && owner[i] != me)
#if R == 1
#define DEAD_HAVE_SOME TAKEN_BY_DEAD(0)
#define OTHERS_HAVE_SOME TAKEN_BY_OTHER(0)
#else
#define DEAD_HAVE_SOME (TAKEN_BY_DEAD(0) || TAKEN_BY_DEAD(1))
#define OTHERS_HAVE_SOME (TAKEN_BY_OTHER(0) || TAKEN_BY_OTHER(1))
#endif
#define EMPTY (take == tail && closed)
#define CAN_GET (LOCK_OF_DEAD || DEAD_HAVE_SOME || EMPTY || \
                 (take < tail && (state[AT(take)] != RSV || DEAD(owner[AT(take)]))))

inline lock_put()
{
    if
    :: WHEN(put_lock == 0, put_lock = me)
    :: WHEN(put_lock != 0 && DEAD(put_lock), put_lock = me)
    fi
}

/* With get_lock: the lowest record that a dead process had in hand is the next again. */
inline sweep()
{
#if MUTANT != 5
    STEP(at = fre);
    do
    :: WHEN(at >= take, at = 0; break)
    :: WHEN(at < take && state[AT(at)] == TAKEN && LOST(owner[AT(at)]), take = at; at = 0; break)
    :: WHEN(at < take && !(state[AT(at)] == TAKEN && LOST(owner[AT(at)])), at++)
    od
#else
    skip
#endif
}

/* With get_lock: taken over from a dead process. */
inline recover()
{
#if MUTANT != 4
    if
    :: WHEN(fre > take, take = fre)
    :: WHEN(fre <= take, skip)
    fi;
#endif
    sweep()
}

inline lock_get()
{
    if
    :: WHEN(get_lock == 0, get_lock = me)
    :: WHEN(get_lock != 0 && DEAD(get_lock), get_lock = me); recover()
    fi
}

inline reclaim()
{
    STEP(at = fre);
    do
    :: WHEN(at < take && CAN_BE_FREED(state[AT(at)]), at++)
    :: WHEN(at >= take || !CAN_BE_FREED(state[AT(at)]), break)
    od;
    STEP(fre = at; at = 0; assert(fre <= tail))
}

/* With get_lock: moves take to the first item; is there one? */
inline walk()
{
    STEP(at = take; got = false);
    do
    :: WHEN(at >= tail, break)
    :: WHEN(at < tail && state[AT(at)] == RSV && !DEAD(owner[AT(at)]), break)
#if MUTANT == 11
    :: WHEN(at < tail && state[AT(at)] == RSV && DEAD(owner[AT(at)]), break)
#else
    :: WHEN(at < tail && state[AT(at)] == RSV && DEAD(owner[AT(at)]), state[AT(at)] = SKIP)
#endif
    :: WHEN(at < tail && (state[AT(at)] == SKIP || state[AT(at)] == DONE), at++)
    :: WHEN(at < tail && state[AT(at)] == TAKEN && !LOST(owner[AT(at)]), at++)
    :: WHEN(at < tail && ((state[AT(at)] == TAKEN && LOST(owner[AT(at)])) ||
                          state[AT(at)] == READY), got = true; break)
    od;
    STEP(take = at);
    reclaim()
}

/* The hand-over, in the step that makes it. */
#define HAND_OVER assert(committed[got_value]); handed[got_value]++; assert(handed[got_value] == 1)

proctype Producer(byte me; byte item; byte last)
{
    byte at, mine;
    bool got, large, is_closed;

again:
    if
    :: large = true
    :: large = false
    fi;
    do
    :: lock_put();
       STEP(is_closed = closed; mine = tail); /* one word */
       if
       :: WHEN(is_closed, put_lock = 0); goto ended
       :: WHEN(!is_closed && mine - fre < R, break)
       :: WHEN(!is_closed && mine - fre >= R, put_lock = 0; mine = 0)
       fi;
#if MUTANT == 7
       WHEN(tail - fre < R || closed, skip)
#else
       WHEN(tail - fre < R || closed || CAN_TIDY, skip); /* announces itself, and tidies */
       lock_get();
       walk();
       STEP(get_lock = 0)
#endif
    od;
    if
    :: large ->
       STEP(state[AT(mine)] = RSV; owner[AT(mine)] = me)
    :: !large ->
#if MUTANT == 6
       skip
#else
       STEP(value[AT(mine)] = item);
       STEP(state[AT(mine)] = READY; owner[AT(mine)] = 0)
#endif
    fi;
#if MUTANT == 10
    STEP(is_closed = closed);
    STEP(skip);
    if
    :: !is_closed -> STEP(tail = mine + 1; committed[item] = !large)
#else
    if
    :: WHEN(!closed, tail = mine + 1; committed[item] = !large)
    :: WHEN(closed, is_closed = true)
#endif
    :: is_closed -> skip
    fi;
#if MUTANT == 6
    if
    :: !large && !is_closed -> STEP(state[AT(mine)] = READY; owner[AT(mine)] = 0);
       STEP(value[AT(mine)] = item)
    :: else
    fi;
#endif
    STEP(put_lock = 0);
    if
    :: is_closed -> goto ended
    :: !is_closed && !large
    :: !is_closed && large ->
       STEP(value[AT(mine)] = item);
       STEP(assert(state[AT(mine)] == RSV && owner[AT(mine)] == me);
            state[AT(mine)] = READY; owner[AT(mine)] = 0; committed[item] = true)
    fi;
    if
    :: item < last -> item++; goto again
    :: item == last
    fi;
ended:
    producer_ended[me] = true
}

proctype Consumer(byte me)
{
    byte at, got_value, mine, deaths;
    bool got, is_drained;

    do
    :: WHEN(CAN_GET, skip);
       lock_get();
       STEP(deaths = kills);
       sweep();
       walk();
       /* if nobody died meanwhile, nothing is left undone */
       STEP(assert(got || kills != deaths || !DEAD_HAVE_SOME));
       is_drained = false;
       if
       :: got
#if MUTANT == 9
       :: !got -> STEP(is_drained = EMPTY)
#else
       :: !got -> STEP(is_drained = (EMPTY && !OTHERS_HAVE_SOME))
#endif
       fi;
       deaths = 0;
       if
       :: is_drained -> STEP(get_lock = 0); break
       :: !is_drained && !got -> STEP(get_lock = 0);
          /* sleeps until something else has happened than that the ring was closed */
          WHEN(!EMPTY || LOCK_OF_DEAD || DEAD_HAVE_SOME ||
               !OTHERS_HAVE_SOME, skip)
       :: got -> STEP(mine = take); /* the walk ended there */
          if
          :: true -> /* small */
             STEP(got_value = value[AT(mine)]);
             if
#if MUTANT == 12
             :: true ->
#else
             :: WHEN(fre == mine, skip) ->
#endif
#if MUTANT == 3
                STEP(take = mine + 1);
                STEP(HAND_OVER; fre = mine + 1)
#else
                STEP(HAND_OVER; fre = mine + 1; assert(fre <= tail));
                STEP(take = mine + 1)
#endif
#if MUTANT != 12
             :: WHEN(fre != mine, skip) ->
                STEP(HAND_OVER; state[AT(mine)] = DONE; owner[AT(mine)] = 0);
                STEP(take = mine + 1);
                reclaim()
#endif
             fi;
             STEP(get_lock = 0)
          :: true -> /* large, or borrowed */
             STEP(state[AT(mine)] = TAKEN; owner[AT(mine)] = me);
             STEP(take = mine + 1);
             STEP(get_lock = 0);
#if MUTANT == 1
             STEP(state[AT(mine)] = DONE; owner[AT(mine)] = 0);
             STEP(got_value = value[AT(mine)]; HAND_OVER);
#else
             STEP(got_value = value[AT(mine)]);
             STEP(assert(state[AT(mine)] == TAKEN && owner[AT(mine)] == me); HAND_OVER;
                  state[AT(mine)] = DONE; owner[AT(mine)] = 0);
#endif
             lock_get();
             reclaim();
             STEP(get_lock = 0)
          fi
       fi;
       got = false; got_value = 0; mine = 0
    od;
    consumer_ended[me] = true
}

proctype Closer()
{
    if
    :: closed = true
    :: skip
    fi
}

proctype Killer()
{
    byte victim;

    do
    :: kills < KILLS ->
       select(victim : 1 .. 4);
       atomic {
           alive[victim] && !(victim == 3 && !alive[4]) && !(victim == 4 && !alive[3]) ->
           alive[victim] = false;
           kills++
       }
    :: break
    od
}

#define THROUGH(p, ended) (DEAD(p) || ended[p])
#define COMES(item) (!committed[item] || handed[item] == 1)

init
{
    atomic {
        run Producer(1, 1, FIRST);
        if
        :: FIRST < ITEMS -> run Producer(2, FIRST + 1, ITEMS)
        :: FIRST == ITEMS -> producer_ended[2] = true
        fi;
        run Consumer(3);
        run Consumer(4);
        run Closer();
        run Killer()
    }
    timeout;
    assert(THROUGH(1, producer_ended) && THROUGH(2, producer_ended));
    assert(!closed || (THROUGH(3, consumer_ended) && THROUGH(4, consumer_ended)));
    assert(COMES(1) && COMES(2) && COMES(3))
}
