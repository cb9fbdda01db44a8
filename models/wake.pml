/* Model of the bell (src/chan/bell.c) and of those who wait at it (src/chan/queue_wait.c), for spin.
 * SPDX-License-Identifier: MIT
 *
 * Waiting tasks each want some units of what is there, one (a getter, who wants an item) or more (a
 * putter, who wants room), take them, and may end then or want some more. Others, who never wait,
 * bring a unit at a time, or take one away that was meant for those who wait. A waiting task may give
 * up: its deadline comes, and it looks a last time; or it is cancelled, and does not. Each access to
 * shared memory is a step, and so is a loop of compare-and-swap that ends in one change; the kernel
 * compares and sleeps in one. Where all want one unit it wakes whom it likes; where they want
 * different things, who has slept longest, as Linux does with tasks of one priority. (Else a wake can
 * be taken by one who came after the ring and wants more than there is: its like in the code costs
 * others 100 ms.)
 *
 * How often the bell was rung is counted without end here: in the model a bell has changed since it
 * was looked at, or not. (In the code 65536 rings in the moment before a sleep are as none; a sleep
 * is at most 100 ms.)
 *
 * What holds when nothing can move any more: nobody sleeps for whom there is enough. That is: no wake
 * is lost, and who is woken and has no use for it does not keep it from others.
 *
 * Nobody is killed here. A killed one can take a wake with it; for that no sleep is longer than
 * 100 ms. And all is seq_cst, or in a lock: a putter that does not get the lock for its announcement
 * may miss a wake in the code, and finds that out within the same 100 ms.
 *
 * Mutants, each of which must fail (models/run): -DMUTANT=n
 *   1  who was woken does not announce itself again
 *   2  who waited and leaves does not pass the wake on
 *   3  there is no look between the announcement and the sleep
 *   4  the hint is cleared after the wake, when that found nobody
 *   5  one is woken also when they want different things
 *   9  a ring does not change the bell but for the hint: nobody who is about to sleep notices
 *  10  who is cancelled leaves without announcing itself again
 *  11  one is woken also when they have come to want different things since the look at the bell
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef WAITERS /* 2 or 3 */
#define WAITERS 3
#endif
#ifndef BRINGERS /* 1 or 2 */
#define BRINGERS 2
#endif
#ifndef EACH /* units that each of them brings */
#define EACH 1
#endif
#ifndef WANTS /* what the second waiting task wants, 1 or 2; the others want 1 */
#define WANTS 1
#endif
#ifndef LATE /* deadlines that come, and cancellations */
#define LATE 1
#endif
#ifndef THIEVES /* units that are taken by somebody who does not wait */
#define THIEVES 0
#endif

byte there, late;
bool hint, mixed;     /* the bell: somebody may sleep; they want different things */
byte most;            /* the bell: the most that one of them wants */
bool is_old[WAITERS]; /* the bell has changed since this one announced itself */
bool asleep[WAITERS];
byte want_of[WAITERS]; /* ghost */
#if WANTS > 1
chan queue = [WAITERS] of { byte }; /* who sleeps, in this order */
#endif

#if WAITERS == 3
#define CHANGED is_old[0] = true; is_old[1] = true; is_old[2] = true
#define ALL_ARE_AWAKE (!asleep[0] && !asleep[1] && !asleep[2])
#define NOBODY_SLEEPS asleep[0] = false; asleep[1] = false; asleep[2] = false
#else
#define CHANGED is_old[0] = true; is_old[1] = true
#define ALL_ARE_AWAKE (!asleep[0] && !asleep[1])
#define NOBODY_SLEEPS asleep[0] = false; asleep[1] = false
#endif

#if WANTS > 1
#define SLEEP asleep[me] = true; queue!me
#define WAKE_ME asleep[me] = false; queue??eval(me)
#define WAKE_ALL                          \
    NOBODY_SLEEPS;                        \
    do                                    \
    :: nempty(queue) -> queue?_           \
    :: empty(queue) -> break              \
    od
#else
#define SLEEP asleep[me] = true
#define WAKE_ME asleep[me] = false
#define WAKE_ALL NOBODY_SLEEPS
#endif

#define RING_ALL hint = false; mixed = false; most = 0; CHANGED
#if MUTANT == 4
#define RING_ONE CHANGED
#elif MUTANT == 9
#define RING_ONE hint = false
#else
#define RING_ONE hint = false; CHANGED
#endif

/* Wakes one who sleeps, if there is one; all, if they want different things. */
inline ring()
{
    if
    :: atomic { !hint }
#if MUTANT != 11 && MUTANT != 5
    :: atomic { hint && mixed -> RING_ALL }; atomic { WAKE_ALL }
    :: atomic { hint && !mixed -> RING_ONE };
#else
    :: atomic { hint -> RING_ONE };
#endif
       if
#if WANTS > 1
       :: atomic { queue?first -> asleep[first] = false; first = 0 }
#else
       :: atomic { asleep[0] -> asleep[0] = false }
       :: atomic { asleep[1] -> asleep[1] = false }
#if WAITERS == 3
       :: atomic { asleep[2] -> asleep[2] = false }
#endif
#endif
#if MUTANT == 4
       :: atomic { ALL_ARE_AWAKE }; atomic { hint = false; CHANGED }
#else
       :: atomic { ALL_ARE_AWAKE }
#endif
       fi
    fi
}

/* Another announcement that changes nothing leaves the bell as others have seen it. */
#define ANNOUNCE                                                                             \
    if                                                                                       \
    :: hint && most >= want && (mixed || most == want)                                       \
    :: else ->                                                                               \
       mixed = mixed || (most != 0 && most != want);                                         \
       most = (most > want -> most : want);                                                  \
       hint = true;                                                                          \
       CHANGED                                                                               \
    fi;                                                                                      \
    is_old[me] = false

#if MUTANT == 1
#define ANNOUNCE_AGAIN is_old[me] = false
#else
#define ANNOUNCE_AGAIN ANNOUNCE
#endif

#if MUTANT == 2
#define PASSES_ON false
#else
#define PASSES_ON (there > 0)
#endif

proctype Waiter(byte me; byte want)
{
    byte first;
    bool is_last;

come:
    if
    :: atomic { there >= want -> there = there - want; goto come }
    :: atomic { there >= want -> there = there - want; goto end }
    :: atomic { there < want -> want_of[me] = want }
    fi;
    atomic { ANNOUNCE };
    do
    ::
#if MUTANT != 3
       if
       :: atomic { there >= want -> there = there - want; goto leave }
       :: atomic { there < want && is_last -> goto leave }
       :: atomic { there < want && !is_last }
       fi;
#endif
       if
       :: atomic { is_old[me] }
       :: atomic { !is_old[me] -> SLEEP; is_old[me] = true };
          if
          :: atomic { !asleep[me] }
          :: atomic { asleep[me] && late < LATE -> WAKE_ME; is_last = true; late++ }
          :: atomic { asleep[me] && late < LATE -> WAKE_ME; late++; goto cancelled }
          :: atomic { !asleep[me] && late < LATE -> late++; goto cancelled } /* both at once */
          fi
       fi;
#if MUTANT == 3
       if
       :: atomic { there >= want -> there = there - want; goto leave }
       :: atomic { there < want && is_last -> goto leave }
       :: atomic { there < want && !is_last }
       fi;
#endif
       atomic { ANNOUNCE_AGAIN }
    od;
cancelled:
#if MUTANT == 10
    skip;
#else
    atomic { ANNOUNCE };
#endif
leave:
    if
    :: atomic { !hint -> goto left }
    :: atomic { hint -> is_old[me] = true; is_last = false; want_of[me] = 0 }
    fi;
    if
    :: atomic { !PASSES_ON -> goto left }
    :: atomic { PASSES_ON }
    fi;
    ring();
left:
    atomic { is_old[me] = true; is_last = false; want_of[me] = 0 };
    if
    :: goto come
    :: goto end
    fi;
end:
    skip
}

#if MUTANT == 5
#define ONE_WILL_DO (most <= there)
#else
#define ONE_WILL_DO (!mixed && most <= there)
#endif

proctype Bringer()
{
    byte n, first;

    do
    :: atomic { n == EACH -> break }
    :: atomic { n < EACH -> n++; there++ };
       if
       :: atomic { !hint }
       :: atomic { hint && ONE_WILL_DO };
          ring()
       :: atomic { hint && !ONE_WILL_DO };
          atomic { RING_ALL };
          atomic { WAKE_ALL }
       fi
    od
}

#if THIEVES > 0
proctype Thief()
{
    byte n;

    do
    :: atomic { n < THIEVES && there > 0 -> there--; n++ }
    :: break
    od
}
#endif

#define IS_STUCK(i) (asleep[i] && there >= want_of[i])

init
{
    atomic {
        run Waiter(0, 1);
        run Waiter(1, WANTS);
#if WAITERS == 3
        run Waiter(2, 1);
#endif
        run Bringer();
#if BRINGERS == 2
        run Bringer();
#endif
#if THIEVES > 0
        run Thief()
#endif
    }
    timeout;
    assert(!IS_STUCK(0) && !IS_STUCK(1));
#if WAITERS == 3
    assert(!IS_STUCK(2))
#endif
}
