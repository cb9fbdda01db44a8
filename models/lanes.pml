/* Model of the bells of a queue with two lanes (plait__ring_announce, sleepers_at), for spin.
 * SPDX-License-Identifier: MIT
 *
 * Who gets sleeps at the bell of the first lane; that of the other lane only tells who puts there
 * that somebody does: who finds its hint set clears it, and rings the first one. Everything else is
 * as in wake.pml, whose notes hold here too; all want one item, and look at one lane after the other.
 *
 * What holds when nothing can move any more: nobody sleeps while there is an item in a lane.
 *
 * Mutants, each of which must fail (models/run): -DMUTANT=n
 *   1  the hint of the other lane is cleared after the ring
 *   2  the other lane's hint is set before the first one's
 *   3  who was woken announces itself at the first bell only
 *   4  who leaves looks at the first lane only
 *   5  who puts into the other lane does not look whether somebody sleeps
 *   6  the lanes are looked at before the announcement
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef WAITERS /* 2 or 3 */
#define WAITERS 2
#endif
#ifndef EACH /* items that each of the two putters brings, both into either lane */
#define EACH 2
#endif
#ifndef LATE /* deadlines that come, and cancellations */
#define LATE 1
#endif

byte there[2], late;
bool hint[2];         /* of each bell: somebody may sleep */
bool is_old[WAITERS]; /* the first bell has changed since this one announced itself */
bool asleep[WAITERS];

#if WAITERS == 3
#define CHANGED is_old[0] = true; is_old[1] = true; is_old[2] = true
#define ALL_ARE_AWAKE (!asleep[0] && !asleep[1] && !asleep[2])
#else
#define CHANGED is_old[0] = true; is_old[1] = true
#define ALL_ARE_AWAKE (!asleep[0] && !asleep[1])
#endif

/* The first bell: wakes one who sleeps there, if there is one. */
inline ring()
{
    if
    :: atomic { !hint[0] }
    :: atomic { hint[0] -> hint[0] = false; CHANGED };
       if
       :: atomic { asleep[0] -> asleep[0] = false }
       :: atomic { asleep[1] -> asleep[1] = false }
#if WAITERS == 3
       :: atomic { asleep[2] -> asleep[2] = false }
#endif
       :: atomic { ALL_ARE_AWAKE }
       fi
    fi
}

#define ANNOUNCE_FIRST                          \
    if                                          \
    :: hint[0]                                  \
    :: else -> hint[0] = true; CHANGED          \
    fi;                                         \
    is_old[me] = false

inline announce()
{
#if MUTANT == 2
    atomic { hint[1] = true };
    atomic { ANNOUNCE_FIRST }
#else
    atomic { ANNOUNCE_FIRST };
    atomic { hint[1] = true }
#endif
}

proctype Waiter(byte me)
{
    bool is_last;

come:
#if MUTANT != 6
    announce();
#endif
    do
    :: if
       :: atomic { there[0] > 0 -> there[0]--; goto leave }
       :: atomic { there[0] == 0 }
       fi;
       if
       :: atomic { there[1] > 0 -> there[1]--; goto leave }
       :: atomic { there[1] == 0 && is_last -> goto leave }
       :: atomic { there[1] == 0 && !is_last }
       fi;
#if MUTANT == 6
       announce();
#endif
       if
       :: atomic { is_old[me] }
       :: atomic { !is_old[me] -> asleep[me] = true; is_old[me] = true };
          if
          :: atomic { !asleep[me] }
          :: atomic { asleep[me] && late < LATE -> asleep[me] = false; is_last = true; late++ }
          :: atomic { asleep[me] && late < LATE -> asleep[me] = false; late++; goto cancelled }
          :: atomic { !asleep[me] && late < LATE -> late++; goto cancelled } /* both at once */
          fi
       fi;
#if MUTANT == 3
       atomic { ANNOUNCE_FIRST }
#elif MUTANT != 6
       announce()
#endif
    od;
cancelled:
    announce();
leave:
    if
    :: atomic { !hint[0] -> goto left }
    :: atomic { hint[0] -> is_old[me] = true; is_last = false }
    fi;
    if
    :: atomic { there[0] > 0 -> goto pass_on }
    :: atomic { there[0] == 0 }
    fi;
    if
#if MUTANT == 4
    :: goto left
#else
    :: atomic { there[1] == 0 -> goto left }
    :: atomic { there[1] > 0 }
#endif
    fi;
pass_on:
    ring();
left:
    atomic { is_old[me] = true; is_last = false };
    if
    :: goto come
    :: goto end
    fi;
end:
    skip
}

proctype Putter()
{
    byte n;

    do
    :: atomic { n == EACH -> break }
    :: atomic { n < EACH -> n++; there[0]++ };
       ring()
    :: atomic { n < EACH -> n++; there[1]++ };
#if MUTANT != 5
       if
       :: atomic { !hint[1] }
       :: atomic { hint[1] };
#if MUTANT != 1
          atomic { hint[1] = false };
#endif
          ring()
#if MUTANT == 1
          ;
          atomic { hint[1] = false }
#endif
       fi
#endif
    od
}

#define IS_STUCK(i) (asleep[i] && there[0] + there[1] > 0)

init
{
    atomic {
        run Waiter(0);
        run Waiter(1);
#if WAITERS == 3
        run Waiter(2);
#endif
        run Putter();
        run Putter()
    }
    timeout;
    assert(!IS_STUCK(0) && !IS_STUCK(1));
#if WAITERS == 3
    assert(!IS_STUCK(2))
#endif
}
