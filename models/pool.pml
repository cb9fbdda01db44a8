/* Model of the slots of a process pool (src/pool/process_block.h) and of its queue of hints
 * (src/pool/hints.c), for spin.
 * SPDX-License-Identifier: MIT
 *
 * The owner submits jobs of ITEMS items, cancels some of them, so that they are killed if they run,
 * collects what is over and uses the slots again. Workers take the jobs; each may be killed at any
 * step, KILLS times in all. The keeper learns of each death from the kernel, gives what the dead one
 * had in hand to others or ends it, and starts another in its place; and it dooms what was cancelled
 * and runs, and kills its worker, who may take more steps until it is dead. With ITEMS=2 a worker
 * may have enough behind an item, and queue the job again.
 *
 * Each access to shared memory is a step, but for those that nobody else can look at then. (Of a
 * put and a take, head or tail and the place are looked at in one step without FINE=1.) Who finds
 * nothing sleeps until there is something: wakes are another model's. The keeper is not killed here,
 * and jobs within jobs are not there.
 *
 * What holds, in every state that can be reached:
 *   - each job is collected once, each of its items with one end, and none runs then;
 *   - an item is entered no more often than it has attempts, and never by two at once;
 *   - an item that was committed ends with its own value; no other one does;
 *   - a job ends as cancelled only if it was cancelled; no more attempts are lost than workers were
 *     killed;
 *   - a worker whose job is doomed commits nothing, and enters nothing more;
 * and when nothing can move any more: all jobs were collected, also those that are told of by nobody
 * but the keeper.
 *
 * Mutants, each of which must fail (models/run): -DMUTANT=n
 *   1  the record names the slot after the word says ENTERED
 *   2  the keeper does not look whose the slot is
 *   3  the keeper puts things right when it has killed, not when the worker is dead
 *   4  the commit is a store
 *   5  the function is called before the word says ENTERED
 *   6  the hint is put before the word says QUEUED
 *   7  the keeper does not put the hint again of what is QUEUED
 *   8  who queued a job again and finds that one was cancelled ends whatever is QUEUED in the slot
 *   9  who ends a job tells so before the word says OVER
 *  10  who finds its job doomed looks for the next one
 *  11  the generation stays the same
 *  12  the keeper does not tell of what is OVER
 *  13  the record is cleared before it is told that the job is over
 *  14  who finds no place for a hint does not say so
 */
#ifndef MUTANT
#define MUTANT 0
#endif
#ifndef TASKS /* 2 or 3 */
#define TASKS 2
#endif
#ifndef SLOTS /* 1 or 2 */
#define SLOTS 1
#endif
#ifndef ITEMS /* 1 or 2 */
#define ITEMS 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef CANCELS
#define CANCELS 1
#endif
#ifndef ATTEMPTS
#define ATTEMPTS 1
#endif
#ifndef PLACES
#define PLACES 2
#endif
#ifndef FINE
#define FINE 0
#endif

/* the word of a slot */
#define FREE 0
#define QUEUED 1
#define ENTERED 2
#define DOOMED 3
#define OVER 4
#define MAKE(state, worker, item, starts, generation) \
    ((state) + 8 * (worker) + 16 * (item) + 64 * (starts) + 256 * (generation))
#define STATE(w) ((w) & 7)
#define WORKER(w) ((w) >> 3 & 1)
#define ITEM(w) ((w) >> 4 & 3)
#define STARTS(w) ((w) >> 6 & 3)
#define GENERATION(w) ((w) >> 8)

short word[SLOTS];
byte task[SLOTS]; /* what it is about */
bool is_asked[SLOTS], kill_at[SLOTS];
byte result[4]; /* of each slot and item: STOPPED, LOST, or a value: VALUE + its task */
#define RESULT(s, i) result[(s) * 2 + (i)]
#define STOPPED 1
#define LOST 2
#define VALUE 3
bool bits[SLOTS]; /* told */

/* hints: generation and slot; a place: its round and a hint, or none */
#define HINT(s, w) (1 + (s) + 2 * (GENERATION(w) & 3))
#define SLOT_OF(hint) (((hint) - 1) & 1)
#define IS_MEANT(hint, w) ((((hint) - 1) >> 1) == (GENERATION(w) & 3))
#define EMPTY(at) ((at) / PLACES * 16)
#define PLACE(at) places[(at) % PLACES]
byte places[PLACES], head, tail;
bool is_incomplete;

byte current[2]; /* the records */
bool struck[2], dead[2]; /* SIGKILL was sent; it has done its last step */
byte kills;
bool is_over;

/* ghosts; of each task and item */
#define KEY(t, i) (((t) - 1) * ITEMS + (i))
byte calls[6], inside[6];
bool committed[6];
bool asked[4], is_collected[4];
bool is_doomed[2];
byte n_lost;

/* A step of a worker; before it, it may be killed. And one of the others. */
#define STEP(x)                                                                   \
    if                                                                            \
    :: atomic { x }                                                               \
    :: atomic { kills < KILLS && !struck[me] -> kills++; goto killed }            \
    :: atomic { struck[me] -> goto killed }                                       \
    fi
#define SAFE(x) atomic { x }

#if FINE
#define AND(step, a, b) step(a); step(b)
#else
#define AND(step, a, b) step(a; b)
#endif

/* Compares and swaps; else does something. */
#define CHANGE(at, from, to, otherwise) \
    if                                  \
    :: at == (from) -> at = (to)        \
    :: else -> otherwise                \
    fi

#if MUTANT == 14
#define FULL skip
#else
#define FULL is_incomplete = true
#endif

#define PUT(step, hint)                                                                     \
    do                                                                                      \
    :: AND(step, at = tail, found = PLACE(at));                                             \
       if                                                                                   \
       :: found == EMPTY(at) ->                                                             \
          step(CHANGE(PLACE(at), found, found + (hint), found = 255));                      \
          if                                                                                \
          :: found == 255                                                                   \
          :: else -> step(CHANGE(tail, at, at + 1, skip)); break                            \
          fi                                                                                \
       :: else ->                                                                           \
          step(if                                                                           \
               :: found / 16 + 1 == at / PLACES && tail == at -> found = 255                \
               :: else                                                                      \
               fi);                                                                         \
          if                                                                                \
          :: found == 255 -> step(FULL); break                                              \
          :: else -> step(CHANGE(tail, at, at + 1, skip))                                   \
          fi                                                                                \
       fi                                                                                   \
    od;                                                                                     \
    atomic { at = 0; found = 0 }

#if MUTANT == 9
#define TELL_FIRST(step) step(bits[s] = true);
#define TELL(step)
#else
#define TELL_FIRST(step)
#define TELL(step) step(bits[s] = true)
#endif

/* QUEUED becomes OVER. (The loop that comes back when the word has changed is left out where it is
 * still QUEUED: it then goes on with the new one.) */
#define GIVE_UP(step, is_right)                                                             \
    do                                                                                      \
    :: step(w = word[s]);                                                                   \
       if                                                                                   \
       :: STATE(w) == QUEUED && (is_right) ->                                               \
          TELL_FIRST(step)                                                                  \
          step(CHANGE(word[s], w, w - QUEUED + OVER, w = 0));                               \
          if                                                                                \
          :: w == 0                                                                         \
          :: else -> TELL(step); break                                                      \
          fi                                                                                \
       :: else -> break                                                                     \
       fi                                                                                   \
    od

#if MUTANT == 8
#define IS_SAME true
#else
#define IS_SAME GENERATION(w) == generation
#endif

proctype Worker(byte me)
{
    short w, next;
    byte s, at, found, hint, generation, key;

start:
    atomic { w = 0; next = 0; s = 0; at = 0; found = 0; hint = 0; generation = 0; key = 0 };
    /* a hint */
    AND(STEP, (is_over || is_incomplete || PLACE(head) != EMPTY(head)); at = head, found = PLACE(at));
    if
    :: found == EMPTY(at) -> goto nothing
    :: found != EMPTY(at) && found / 16 != at / PLACES ->
       STEP(CHANGE(head, at, at + 1, skip); goto start)
    :: else
    fi;
#if MUTANT != 1
    STEP(hint = found & 15; current[me] = hint);
#endif
    STEP(hint = found & 15; CHANGE(PLACE(at), found, EMPTY(at) + 16, goto start));
    STEP(CHANGE(head, at, at + 1, skip); at = 0; found = 0);
    goto follow;
nothing:
    STEP(if
         :: head != at -> goto start
         :: is_over -> goto gone
         :: else
         fi);
    /* hints may be missing */
    STEP(if
         :: is_incomplete
         :: else -> goto start
         fi);
    STEP(is_incomplete = false; at = 0; found = 0);
    do
    :: s < SLOTS ->
       STEP(w = word[s]);
       if
       :: STATE(w) == QUEUED -> break
       :: else -> s++
       fi
    :: else -> goto start
    od;
    STEP(is_incomplete = true);
    STEP(hint = HINT(s, w); current[me] = hint);
follow:
    STEP(s = SLOT_OF(hint);
         w = word[s];
         if
         :: STATE(w) == QUEUED && IS_MEANT(hint, w) ->
            generation = GENERATION(w);
            next = MAKE(ENTERED, me, ITEM(w), STARTS(w) + 1, generation)
         :: else -> goto clear
         fi);
#if MUTANT == 5
    STEP(key = 1 + KEY(task[s], ITEM(next));
         calls[key - 1]++;
         assert(calls[key - 1] <= ATTEMPTS && !committed[key - 1]);
         inside[key - 1]++;
         assert(inside[key - 1] == 1));
    STEP(inside[key - 1]--; RESULT(s, ITEM(next)) = VALUE + task[s]);
#endif
    STEP(if
         :: word[s] == w -> word[s] = next
         :: else -> goto clear
         fi;
         w = next;
         assert(!is_doomed[me]));
#if MUTANT == 1
    STEP(current[me] = hint);
#endif
    hint = 0;
item:
    /* the function */
#if MUTANT != 5
    STEP(key = 1 + KEY(task[s], ITEM(w));
         calls[key - 1]++;
         assert(calls[key - 1] <= ATTEMPTS && !committed[key - 1]);
         inside[key - 1]++;
         assert(inside[key - 1] == 1));
    STEP(inside[key - 1]--; RESULT(s, ITEM(w)) = VALUE + task[s]);
#endif
    /* commit */
    STEP(if
         :: ITEM(w) + 1 == ITEMS || is_asked[s] -> next = MAKE(OVER, 0, ITEM(w) + 1, 1, generation)
         :: ITEM(w) + 1 < ITEMS && !is_asked[s] ->
            next = MAKE(ENTERED, me, ITEM(w) + 1, 1, generation)
         :: ITEM(w) + 1 < ITEMS && !is_asked[s] -> next = MAKE(QUEUED, 0, ITEM(w) + 1, 0, generation)
         fi);
#if MUTANT == 6
    if
    :: STATE(next) == QUEUED -> PUT(STEP, HINT(s, next))
    :: else
    fi;
#endif
#if MUTANT == 9
    if
    :: STATE(next) == OVER -> STEP(bits[s] = true)
    :: else
    fi;
#endif
    STEP(
#if MUTANT != 4
         if
         :: word[s] == w
         :: else -> goto doomed
         fi;
#endif
         word[s] = next;
         w = next;
         next = 0;
         assert(!is_doomed[me]);
         committed[key - 1] = true;
         key = 0);
    if
    :: STATE(w) == ENTERED -> goto item
    :: STATE(w) == OVER ->
#if MUTANT == 13
       STEP(current[me] = 0);
#endif
       TELL(STEP)
    :: else -> skip;
#if MUTANT != 6
       PUT(STEP, HINT(s, w));
#endif
       STEP(if
            :: is_asked[s]
            :: else -> goto clear
            fi);
       GIVE_UP(STEP, IS_SAME)
    fi;
clear:
    STEP(current[me] = 0; goto start);
doomed:
#if MUTANT == 10
    goto clear;
#endif
    struck[me];
killed:
    atomic { if
             :: key > 0 && inside[key - 1] > 0 -> inside[key - 1] = 0
             :: else
             fi;
             dead[me] = true;
             w = 0; next = 0; s = 0; at = 0; found = 0; hint = 0; generation = 0; key = 0 };
    atomic { !dead[me] -> goto start };
gone:
    skip
}

#if MUTANT == 3
#define HAS_ENDED(p) (struck[p] || dead[p])
#else
#define HAS_ENDED(p) dead[p]
#endif

proctype Keeper()
{
    short w, next;
    byte place, s, at, found, hint, generation;

look:
    atomic { w = 0; next = 0; place = 0; s = 0; hint = 0; generation = 0 };
    if
    :: atomic { HAS_ENDED(0) -> place = 0; goto dies }
    :: atomic { HAS_ENDED(1) -> place = 1; goto dies }
    :: atomic { current[0] != 0 && !struck[0] && kill_at[SLOT_OF(current[0])] ->
                place = 0; s = SLOT_OF(current[0]); goto limits }
    :: atomic { current[1] != 0 && !struck[1] && kill_at[SLOT_OF(current[1])] ->
                place = 1; s = SLOT_OF(current[1]); goto limits }
    :: is_over -> goto end
    fi;
limits:
    atomic { w = word[s];
             if
             :: STATE(w) == ENTERED && WORKER(w) == place
             :: else -> goto look
             fi };
    atomic { if
             :: kill_at[s]
             :: else -> goto look
             fi };
    atomic { if
             :: word[s] == w -> word[s] = w - ENTERED + DOOMED; is_doomed[place] = true
             :: else -> goto look
             fi };
    atomic { struck[place] = true; goto look };
dies:
    atomic { is_incomplete = true };
    atomic { hint = current[place];
             if
             :: hint == 0 -> goto again
             :: else -> s = SLOT_OF(hint); w = word[s]; generation = GENERATION(w)
             fi;
             if
             :: !IS_MEANT(hint, w) -> goto again
             :: else
             fi };
    if
    :: atomic {
#if MUTANT == 2
           (STATE(w) == ENTERED || STATE(w) == DOOMED) ->
#else
           (STATE(w) == ENTERED || STATE(w) == DOOMED) && WORKER(w) == place ->
#endif
           if
           :: STATE(w) == ENTERED -> n_lost++; assert(n_lost <= kills)
           :: else
           fi;
           if
           :: STATE(w) == ENTERED && STARTS(w) < ATTEMPTS && !is_asked[s] ->
              next = MAKE(QUEUED, 0, ITEM(w), STARTS(w), generation)
           :: else ->
              RESULT(s, ITEM(w)) = (STATE(w) == ENTERED -> LOST : STOPPED);
              if
              :: ITEM(w) + 1 == ITEMS || STATE(w) == DOOMED || is_asked[s] ->
                 next = MAKE(OVER, 0, ITEM(w) + 1, 0, generation)
              :: else -> next = MAKE(QUEUED, 0, ITEM(w) + 1, 0, generation)
              fi
           fi };
#if MUTANT == 6
       if
       :: STATE(next) == QUEUED -> PUT(SAFE, hint)
       :: else
       fi;
#endif
#if MUTANT == 9
       if
       :: STATE(next) == OVER -> atomic { bits[s] = true }
       :: else
       fi;
#endif
       atomic { CHANGE(word[s], w, next, skip); w = next; next = 0 }
    :: else
    fi;
    if
#if MUTANT != 12
    :: STATE(w) == OVER -> TELL(SAFE)
#endif
    :: STATE(w) == QUEUED -> skip;
#if MUTANT != 7 && MUTANT != 6
       PUT(SAFE, hint);
#endif
       atomic { if
                :: is_asked[s]
                :: else -> goto again
                fi };
       GIVE_UP(SAFE, IS_SAME)
    :: else
    fi;
again:
    atomic { current[place] = 0 };
    atomic { dead[place]; dead[place] = false; struck[place] = false; is_doomed[place] = false; goto look };
end:
    skip
}

/* What is OVER in slot s ends. */
inline collect()
{
    t = task[s];
    assert(!is_collected[t]);
    is_collected[t] = true;
    i = 0;
    do
    :: i < ITEMS ->
       assert(inside[KEY(t, i)] == 0);
       r = (i < ITEM(w) -> RESULT(s, i) : STOPPED);
       assert(!committed[KEY(t, i)] || r == VALUE + t);
       assert(r == VALUE + t || r == LOST || r == STOPPED);
       assert(r != VALUE + t || committed[KEY(t, i)]);
       assert(r != STOPPED || asked[t]);
       RESULT(s, i) = 0;
       i++
    :: else -> break
    od;
    i = 0; r = 0; t = 0;
    task[s] = 0;
#if MUTANT == 11
    word[s] = MAKE(FREE, 0, 0, 0, GENERATION(w))
#else
    word[s] = MAKE(FREE, 0, 0, 0, GENERATION(w) + 1)
#endif
}

proctype Owner()
{
    short w;
    byte s, at, found, submitted, cancels, i, r, t;

loop:
    atomic { w = 0; s = 0 };
    if
    :: atomic { submitted < TASKS && task[0] == 0 -> s = 0; goto submit }
#if SLOTS == 2
    :: atomic { submitted < TASKS && task[0] != 0 && task[1] == 0 -> s = 1; goto submit }
    :: atomic { cancels < CANCELS && task[1] != 0 && !is_asked[1] -> s = 1; goto cancel }
    :: atomic { bits[1] -> s = 1; goto pump }
#endif
    :: atomic { cancels < CANCELS && task[0] != 0 && !is_asked[0] -> s = 0; goto cancel }
    :: atomic { bits[0] -> s = 0; goto pump }
    :: atomic { submitted == TASKS && is_collected[1] && is_collected[2] &&
                (TASKS < 3 || is_collected[3]) -> goto end }
    fi;
submit:
    atomic { submitted++; task[s] = submitted; is_asked[s] = false; kill_at[s] = false;
             w = word[s]; w = MAKE(QUEUED, 0, 0, 0, GENERATION(w)) };
#if MUTANT == 6
    PUT(SAFE, HINT(s, w));
#endif
    atomic { word[s] = w };
#if MUTANT != 6
    PUT(SAFE, HINT(s, w));
#endif
    goto loop;
cancel:
    atomic { cancels++;
             if
             :: STATE(word[s]) == OVER -> goto loop
             :: else
             fi };
    atomic { kill_at[s] = true };
    atomic { asked[task[s]] = true; is_asked[s] = true };
    GIVE_UP(SAFE, true);
    goto loop;
pump:
    atomic { bits[s] = false };
    atomic { w = word[s];
             if
             :: STATE(w) == OVER -> collect()
             :: else
             fi;
             goto loop };
end:
    is_over = true
}

init
{
    atomic {
        run Worker(0);
        run Worker(1);
        run Keeper();
        run Owner()
    };
    timeout;
    assert(is_over)
}
