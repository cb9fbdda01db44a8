/* The lock debug mode.
 * SPDX-License-Identifier: MIT
 *
 * A task waits for those who hold the lock that it waits for: a reader, or a writer, for who holds
 * it alone; a writer that has got so far, for those who read. Each waiting task walks from itself
 * along these arrows each time that its slice of sleep is over, and has found a circle when it comes
 * back to itself. The notes are of different moments, so that a circle may never have been: it is
 * believed only if no note of it has changed between the first look and a second one. A task's note
 * on what it holds is there only while it does hold it. Of the tasks of a circle the one with the
 * lowest name tells of it.
 */
#include "sync/debug.h"
#include "base/log.h"
#include "family/member.h"
#include "os/clock.h"
#include "sync/task_id.h"

#include <stdarg.h>
#include <stdio.h>

enum {
    LONG_NS = 1000 * 1000 * 1000,
    MOST_STEPS = 16,  /* in a circle */
    MOST_LOOKS = 4096 /* at notes, in one walk */
};

/* One arrow. */
struct step {
    uint64_t task; /* who waits */
    uint32_t wait, wait_stamp;
    uint32_t held, held_stamp;
};

struct walk {
    struct step steps[MOST_STEPS];
    unsigned n, looks;
    struct plait__note note; /* the last one read */
};

/* A line that grows; too long, it is cut. */
struct text {
    char bytes[960];
    size_t len;
};

static __attribute__((format(printf, 2, 3))) void add(struct text *text, const char *format, ...)
{
    size_t left = sizeof text->bytes - text->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text->bytes + text->len, left, format, args);
    va_end(args);
    if (n > 0)
        text->len += (size_t)n < left ? (size_t)n : left - 1;
}

static void add_task(struct text *text, const struct plait__note *note)
{
    if (note->name[0] != '\0')
        add(text, "task \"%s\" (thread %u of process %u)", note->name, note->thread, note->process);
    else
        add(text, "thread %u of process %u", note->thread, note->process);
}

static void add_held(struct text *text, const struct plait__note *note)
{
    int64_t ms = (plait__os_now_ns() - note->since_ns) / 1000000;

    add_task(text, note);
    if (note->flags & PLAIT__NOTE_HAS_ENDED)
        add(text, ", which has ended,");
    add(text, " %s since %d.%d s, acquired at %s",
        note->kind == PLAIT__NOTE_READS ? "reads" : "holds", (int)(ms / 1000),
        (int)(ms % 1000 / 100), note->place);
}

static bool is_of_dead(const struct plait__note *note)
{
    return plait__member_is_dead((uint32_t)(note->task >> 32));
}

static enum plait__note_kind awaited(unsigned wait_kind)
{
    return wait_kind == PLAIT__NOTE_WAITS ? PLAIT__NOTE_HOLDS : PLAIT__NOTE_READS;
}

/* ---- circles ---- */

/* Is each of its arrows there still, of tasks that live? */
static bool is_true(struct walk *walk)
{
    for (unsigned i = 0; i < walk->n; i++) {
        const struct step *step = &walk->steps[i];
        if (!plait__note_again(step->wait, step->wait_stamp, &walk->note) ||
            !plait__note_again(step->held, step->held_stamp, &walk->note) ||
            is_of_dead(&walk->note))
            return false;
    }
    return true;
}

/* Goes on from the wait that is in walk->note. */
static bool find_circle(struct walk *walk) /* NOLINT(misc-no-recursion): at most MOST_STEPS deep */
{
    uint64_t lock = walk->note.lock;
    uint32_t member = walk->note.member, at = 0;
    enum plait__note_kind held = awaited(walk->note.kind);
    struct step *step = &walk->steps[walk->n];

    if (walk->n == MOST_STEPS)
        return false;
    *step = (struct step){ .task = walk->note.task,
                           .wait = walk->note.index,
                           .wait_stamp = walk->note.stamp };
    walk->n++;
    while (walk->looks++ < MOST_LOOKS &&
           plait__note_next_on(lock, member, held, &at, &walk->note)) {
        uint64_t holder = walk->note.task;
        step->held = walk->note.index;
        step->held_stamp = walk->note.stamp;
        if (holder == walk->steps[0].task
                ? is_true(walk)
                : plait__note_wait_of(holder, &walk->note) && find_circle(walk))
            return true;
    }
    walk->n--;
    return false;
}

static bool is_ours_to_tell(const struct walk *walk)
{
    for (unsigned i = 1; i < walk->n; i++)
        if (walk->steps[i].task < walk->steps[0].task)
            return false;
    return true;
}

static void tell_circle(struct walk *walk)
{
    struct text text = { .len = 0 };

    add(&text, "deadlock of %u:", walk->n);
    for (unsigned i = 0; i < walk->n; i++) {
        const struct step *step = &walk->steps[i];
        if (!plait__note_again(step->wait, step->wait_stamp, &walk->note))
            return; /* it has resolved itself */
        add(&text, i > 0 ? "; " : " ");
        add_task(&text, &walk->note);
        add(&text, " waits at %s for lock %#llx, ", walk->note.place,
            (unsigned long long)walk->note.lock);
        if (!plait__note_again(step->held, step->held_stamp, &walk->note))
            return;
        add(&text, "which ");
        add_held(&text, &walk->note);
    }
    plait__log(PLAIT_LOG_WARNING, "%s", text.bytes);
}

static void look_for_circle(struct plait__note *wait)
{
    struct walk walk = { .n = 0 };

    walk.note = *wait;
    if (!find_circle(&walk) || !is_ours_to_tell(&walk))
        return;
    plait__note_set_flag(wait, PLAIT__NOTE_IS_CYCLE);
    tell_circle(&walk);
}

/* ---- long waits ---- */

static void tell_long(const struct plait__note *wait)
{
    struct text text = { .len = 0 };
    struct plait__note held;
    uint32_t at = 0;
    int n = 0;

    add_task(&text, wait);
    add(&text, " waits at %s for lock %#llx, ", wait->place, (unsigned long long)wait->lock);
    while (plait__note_next_on(wait->lock, wait->member, awaited(wait->kind), &at, &held)) {
        if (is_of_dead(&held))
            continue;
        add(&text, n++ == 0 ? "which " : ", and ");
        add_held(&text, &held);
    }
    plait__log(PLAIT_LOG_WARNING, "%s%s", text.bytes, n == 0 ? "whose holder is not known" : "");
}

void plait__debug_looks(void)
{
    struct plait__note *wait = plait__note_my_wait();

    if (wait == NULL)
        return;
    if (!(wait->flags & PLAIT__NOTE_IS_CYCLE))
        look_for_circle(wait);
    if (!(wait->flags & PLAIT__NOTE_IS_LONG) && plait__os_now_ns() - wait->since_ns >= LONG_NS) {
        plait__note_set_flag(wait, PLAIT__NOTE_IS_LONG);
        tell_long(wait);
    }
}

/* ---- what the locks tell us ---- */

void plait__debug_waits(enum plait__note_kind kind, const void *lock, const void *place)
{
    plait__note_make(kind, lock, place);
}

void plait__debug_waits_no_more(void)
{
    plait__note_remove(plait__note_my_wait());
}

void plait__debug_holds(enum plait__note_kind kind, const void *lock, const void *place)
{
    plait__note_make(kind, lock, place);
}

void plait__debug_releases(enum plait__note_kind kind, const void *lock)
{
    plait__note_remove(plait__note_mine(kind, lock));
}

void plait__debug_ends(bool with_process)
{
    uint64_t self = plait__task_id();
    struct plait__note held, *at;
    uint32_t next = 0;

    while ((at = plait__note_next_held(&next, &held)) != NULL) {
        struct text text = { .len = 0 };
        /* with the process its private memory goes: what other threads hold there is no harm */
        if (held.task != self && !(with_process && held.member == 0))
            continue;
        if (held.flags & PLAIT__NOTE_HAS_ENDED) /* told of, when it ended */
            continue;
        add_task(&text, &held);
        add(&text, " ends while it %s lock %#llx, acquired at %s",
            held.kind == PLAIT__NOTE_READS ? "reads" : "holds", (unsigned long long)held.lock,
            held.place);
        plait__note_set_flag(at, PLAIT__NOTE_HAS_ENDED);
        plait__log(PLAIT_LOG_WARNING, "%s", text.bytes);
    }
}
