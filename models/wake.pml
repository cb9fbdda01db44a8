/* Model of the bell (src/chan/bell.c) and of those who wait at it (src/chan/queue_wait.c), for spin.
 * SPDX-License-Identifier: MIT
 *
 * Waiting tasks each want some units of what is there, one (a getter, who wants an item) or more (a
 * putter, who wants room), take them, and may end then or want some more. Others, who never wait,
 * bring a unit at a time, or take one away that was meant for those who wait. A waiting task may give
 * up, as its deadline comes. Each access to shared memory is a step; the kernel compares and sleeps
 * in one, and wakes whom it likes.
 *
 * What holds when nothing can move any more: nobody sleeps for whom there is enough. That is: no wake
 * is lost, and who is woken and has no use for it does not keep it from others.
 *
 * Nobody is killed here. A killed one can take a wake with it; for that no sleep is longer than
 * 100 ms.
 *
 * Mutants, each of which must fail (models/run): -DMUTANT=n
 *   1  who was woken does not announce itself again
 *   2  who waited and leaves does not pass the wake on
 *   3  there is no look between the announcement and the sleep
 *   4  the hint is cleared after the wake, when that found nobody
 *   5  one is woken also when they want different things
 *   6  the wants are forgotten when one is woken
 *   7  who leaves passes the wake on only if there is as much as it wanted
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef WAITERS
#define WAITERS 3
#endif
#ifndef BRINGERS
#define BRINGERS 2
#endif
#ifndef EACH /* units that each of them brings */
#define EACH 2
#endif
#ifndef WANTS /* what a waiting task may want at most, 1 or 2 */
#define WANTS 1
#endif
#ifndef THIEVES /* units that are taken by somebody who does not wait */
#define THIEVES 0
#endif

byte there;
byte bell; /* hint: 1 · mixed: 2 · most: 4, 8 · how often it was rung: 16 and up */
bool asleep[WAITERS];
byte want_of[WAITERS]; /* ghost */

#define HINT 1
#define MIXED 2
#define MOST(b) ((b) >> 2 & 3)
#define RUNG(b) (((b) + 16) & (16 * ROUNDS - 1))
#ifndef ROUNDS /* after so many rings the count begins again */
#define ROUNDS 4
#endif

inline wake_one()
{
    if
    :: asleep[0] -> asleep[0] = false
#if WAITERS > 1
    :: asleep[1] -> asleep[1] = false
#endif
#if WAITERS > 2
    :: asleep[2] -> asleep[2] = false
#endif
    :: else ->
#if MUTANT == 4
       found = false
#else
       skip
#endif
    fi
}

inline wake_all()
{
    asleep[0] = false;
#if WAITERS > 1
    asleep[1] = false;
#endif
#if WAITERS > 2
    asleep[2] = false;
#endif
    skip
}

/* seen: the bell as it was looked at */
inline ring_one()
{
    do
    :: !(seen & HINT) -> seen = 0; break
    :: seen & HINT ->
       if
       :: atomic { bell == seen ->
#if MUTANT == 4
                   bell = RUNG(bell); found = true };
#elif MUTANT == 6
                   bell = RUNG(bell) & ~15 };
#else
                   bell = RUNG(bell) & ~HINT };
#endif
#if MUTANT == 4
          atomic { seen = bell; wake_one() };
          atomic { !found && bell == seen -> bell = bell & ~HINT; seen = 0 } unless { found || bell != seen };
          seen = 0;
#else
          atomic { seen = 0; wake_one() };
#endif
          break
       :: atomic { bell != seen -> seen = bell }
       fi
    od
}

inline ring_all()
{
    atomic { bell = RUNG(bell) & ~15; seen = 0 };
    atomic { wake_all() }
}

proctype Waiter(byte me; byte want)
{
    byte seen, most;
    bool has_waited, is_last;
#if MUTANT == 1
    bool is_announced;
#endif
#if MUTANT == 4
    bool found;
#endif

again:
    want_of[me] = want;
    if
    :: atomic { there >= want -> there = there - want }
    :: atomic { there < want -> has_waited = true }
    fi;
    do
    :: !has_waited -> break
    :: has_waited ->
#if MUTANT == 1
       if
       :: is_announced -> seen = bell
       :: !is_announced -> is_announced = true;
#endif
       atomic { /* announces itself: a compare-and-swap, done again until it succeeds */
           most = MOST(bell);
           bell = bell | HINT | (most != 0 && most != want -> MIXED : 0);
           bell = (bell & ~12) | (most > want -> most : want) << 2;
           seen = bell;
           most = 0
       }
#if MUTANT == 1
       fi;
#endif
#if MUTANT != 3
       if
       :: atomic { there >= want -> there = there - want; seen = 0 }; break
       :: atomic { there < want && is_last -> seen = 0 }; break
       :: atomic { there < want && !is_last }
       fi;
#endif
       if
       :: atomic { bell == seen -> asleep[me] = true; seen = 0 };
          if
          :: atomic { !asleep[me] }
          :: atomic { asleep[me] -> asleep[me] = false; is_last = true } /* the deadline */
          fi
       :: atomic { bell != seen -> seen = 0 }
       fi;
#if MUTANT == 3
       if
       :: atomic { there >= want -> there = there - want }; break
       :: atomic { there < want && is_last }; break
       :: atomic { there < want && !is_last }
       fi
#endif
    od;
#if MUTANT != 2
    if
    :: has_waited ->
       seen = bell;
       if
#if MUTANT == 7
       :: there >= want -> ring_one()
       :: there < want -> seen = 0
#else
       :: there > 0 -> ring_one()
       :: there == 0 -> seen = 0
#endif
       fi
    :: !has_waited
    fi;
#endif
    atomic { has_waited = false; is_last = false };
#if MUTANT == 1
    is_announced = false;
#endif
    if
    :: goto again
    :: skip
    fi
}

/* Brings a unit. The waiting tasks' announcements are ordered against that by seq_cst, or a lock. */
proctype Bringer()
{
    byte seen, n;
#if MUTANT == 4
    bool found;
#endif

    do
    :: n < EACH ->
       atomic { n++; there++ };
       seen = bell;
       if
       :: atomic { !(seen & HINT) -> seen = 0 }
#if MUTANT == 5
       :: seen & HINT && MOST(seen) <= there -> ring_one()
       :: seen & HINT && MOST(seen) > there -> ring_all()
#else
       :: seen & HINT && !(seen & MIXED) && MOST(seen) <= there -> ring_one()
       :: seen & HINT && (seen & MIXED || MOST(seen) > there) -> ring_all()
#endif
       fi
    :: n == EACH -> break
    od
}

proctype Thief()
{
    byte n;

    do
    :: n < THIEVES -> atomic { n++; there = (there > 0 -> there - 1 : 0) }
    :: n < THIEVES -> n++
    :: n == THIEVES -> break
    od
}

#define STUCK(i) (asleep[i] && there >= want_of[i])

init
{
    atomic {
        run Waiter(0, 1);
#if WAITERS > 1
        run Waiter(1, WANTS);
#endif
#if WAITERS > 2
        run Waiter(2, 1);
#endif
        run Bringer();
#if BRINGERS > 1
        run Bringer();
#endif
        run Thief()
    }
    timeout;
    assert(!STUCK(0));
#if WAITERS > 1
    assert(!STUCK(1));
#endif
#if WAITERS > 2
    assert(!STUCK(2))
#endif
}
