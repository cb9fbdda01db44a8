/* Model of the deque of a thread pool: Chase and Lev's, for spin.
 * SPDX-License-Identifier: MIT
 *
 * Its owner pushes items at the bottom and pops them there, or goes to do something else for ever at
 * any moment; thieves steal at the top, by compare-and-swap. The items lie in a small array; when
 * that is full the owner copies them to a larger one, and the small one stays, as thieves may be
 * reading it. A thief that finds nothing announces itself, looks again and sleeps; who pushes then
 * wakes it.
 *
 * The owner's stores go through a store buffer, and it goes on before they are seen. They are seen
 * in an order of their own, as on aarch64: only those to one place in the order they were made in,
 * and a release (the bottom, the array) after all that was stored before it. A fence waits until all
 * are seen. Thieves store by compare-and-swap only, and their loads are in order, as there is an
 * acquire or a fence between any two of them.
 *
 * What holds, in every state that can be reached:
 *   - no item is taken twice, and only what was pushed is taken;
 *   - when the owner finds nothing, everything that it pushed has been taken;
 * and when nothing can move any more:
 *   - everything that was pushed has been taken, though the owner does something else.
 *
 * Mutants, each of which must fail (models/run): -DMUTANT=n
 *   1  pop: no fence between the store of the bottom and the load of the top
 *   2  pop: the last item is taken without a compare-and-swap
 *   3  push: the bottom is not a release
 *   4  steal: the bottom is read before the top
 *   5  steal: the item is read after the compare-and-swap
 *   6  pop: who loses the last item does not put the bottom back
 *   7  push: a full array is not noticed
 *   8  push: the larger array is not a release
 *   9  push: no fence between the store of the bottom and the look at who sleeps
 *  10  steal: no look between the announcement and the sleep
 *  11  steal: the top is stored, not by a compare-and-swap
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef THIEVES /* 1 or 2 */
#define THIEVES 2
#endif
#ifndef ITEMS
#define ITEMS 3
#endif
#ifndef SIZE /* of the small array, 1 or 2; the larger one has twice as many */
#define SIZE 2
#endif

/* places that the owner stores to: cells of both arrays, and */
#define CELLS 6
#define BOTTOM 6
#define ARRAY 7
#define CELL(array, i) ((array) * SIZE + (i) % (SIZE + (array) * SIZE))

byte top = 1, bottom = 1, array; /* array: 0 is the small one, 1 the larger */
byte cells[CELLS];
chan buffer = [4] of { byte, byte }; /* place and value: what the owner has stored, and nobody sees yet */
bool hint;                           /* a thief may sleep */
bool rung[THIEVES];                  /* since this one announced itself */
bool is_over;

/* ghosts */
byte pushed, taken;
bool was_taken[ITEMS + 1];

#define TAKE(item)                                               \
    assert(item != 0 && item <= pushed && !was_taken[item]);     \
    was_taken[item] = true;                                      \
    taken++

#define STORE(place, value) atomic { nfull(buffer) -> buffer!place, value }
#define FENCE atomic { empty(buffer) }

/* Makes what the owner has stored seen. */
proctype Buffer()
{
    byte place, value;

    do
    :: atomic { buffer?[BOTTOM, _] -> buffer?BOTTOM, bottom }
    :: atomic { buffer?[ARRAY, _] -> buffer?ARRAY, array }
#if MUTANT == 3
    :: atomic { buffer??[BOTTOM, _] -> buffer??BOTTOM, bottom }
#endif
#if MUTANT == 8
    :: atomic { buffer??[ARRAY, _] -> buffer??ARRAY, array }
#endif
    :: atomic {
        nempty(buffer) ->
           place = 0;
           do
           :: place < BOTTOM && buffer??[eval(place), _] -> buffer??eval(place), value; break
           :: place < BOTTOM - 1 -> place++
           :: place == BOTTOM - 1 -> break
           od;
           cells[place] = (value != 0 -> value : cells[place]);
           place = 0;
           value = 0
       }
    :: atomic { is_over && empty(buffer) -> break }
    od
}

proctype Owner()
{
    byte b = 1, t, i, item, mine; /* b and mine: the bottom and the array as this one has stored them */
    byte my[CELLS];            /* and the cells */

    do
    :: atomic { pushed < ITEMS -> t = top };
#if MUTANT != 7
       if
       :: atomic { b - t >= SIZE && mine == 0 -> i = t };
          do
          :: atomic { i < b && nfull(buffer) ->
                      my[CELL(1, i)] = my[CELL(0, i)];
                      buffer!CELL(1, i), my[CELL(1, i)];
                      i++ }
          :: atomic { i == b && nfull(buffer) -> mine = 1; buffer!ARRAY, 1; i = 0; break }
          od
       :: atomic { b - t < SIZE || mine == 1 }
       fi;
#endif
       atomic { nfull(buffer) ->
                t = 0;
                pushed++;
                my[CELL(mine, b)] = pushed;
                buffer!CELL(mine, b), pushed };
       STORE(BOTTOM, b + 1);
#if MUTANT != 9
       FENCE;
#endif
       atomic { b++;
                if
                :: hint -> hint = false; rung[0] = true; rung[THIEVES - 1] = true
                :: else
                fi }
    :: atomic { nfull(buffer) -> b--; buffer!BOTTOM, b };
#if MUTANT != 1
       FENCE;
#endif
       atomic { t = top; /* the item that nobody else can have is taken with this load */
                item = my[CELL(mine, b)];
                if
                :: t < b -> TAKE(item)
#if MUTANT == 2
                :: t == b -> TAKE(item); t++
#else
                :: t == b
#endif
                :: t > b -> assert(taken == pushed)
                fi };
       if
       :: atomic { t < b -> t = 0; item = 0 }
       :: atomic { t >= b && nfull(buffer) ->
                   if
#if MUTANT != 2
                   :: t == b && top == t -> top++; TAKE(item); b++
#endif
#if MUTANT == 6
                   :: t == b && top != t
#else
                   :: t == b && top != t -> b++
#endif
                   :: t > b -> b++
                   fi;
                   buffer!BOTTOM, b;
                   t = 0;
                   item = 0 }
       fi
    :: break /* it does something else */
    od
}

proctype Thief(byte me)
{
    byte t, b, at, item;
    bool is_announced;

    do
#if MUTANT == 4
    :: atomic { !is_over -> b = bottom };
       atomic { t = top };
#else
    :: atomic { !is_over -> t = top };
       atomic { b = bottom };
#endif
       if
       :: atomic { t >= b && !is_announced -> hint = true; rung[me] = false; is_announced = true; t = 0; b = 0 }
#if MUTANT == 10
          ;
          atomic { rung[me] || is_over -> rung[me] = true; is_announced = false }
#endif
       :: atomic { t >= b && is_announced -> t = 0; b = 0 };
          atomic { rung[me] || is_over -> rung[me] = true; is_announced = false }
       :: atomic { t < b -> is_announced = false; b = 0; rung[me] = true; at = array };
#if MUTANT == 5
          atomic { if
                   :: top == t -> top++; taken++; item = 1
                   :: else
                   fi };
          atomic { if
                   :: item == 1 -> item = cells[CELL(at, t)]; assert(!was_taken[item]); was_taken[item] = true
                   :: else
                   fi }
#elif MUTANT == 11
          atomic { item = cells[CELL(at, t)] };
          atomic { top = t + 1; TAKE(item) }
#else
          atomic { item = cells[CELL(at, t)] };
          atomic { if
                   :: top == t -> top++; TAKE(item)
                   :: else
                   fi }
#endif
          atomic { t = 0; at = 0; item = 0 }
       fi
    :: atomic { is_over -> break }
    od
}

init
{
    atomic {
        run Buffer();
        run Owner();
        run Thief(0);
#if THIEVES == 2
        run Thief(1)
#endif
    };
    timeout;
    assert(taken == pushed);
    is_over = true
}
