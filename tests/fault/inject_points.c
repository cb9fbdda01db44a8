/* Which calls fail: the points are counted, and what is wanted of them is read from the environment.
 * SPDX-License-Identifier: MIT
 *
 * A point is one call that may fail: an allocation from anywhere in the process, or a system call's
 * wrapper called from the text of the program itself (so not what the C library does for itself).
 * Points are numbered from 1 in the order in which the program and its forks reach them.
 *
 *     PLAIT_INJECT=count              nothing fails
 *     PLAIT_INJECT=fail:N:ERRNO:KIND  the N-th point fails, once; if another run got there by
 *                                     another way, the next point of that kind
 *     PLAIT_INJECT=from:N:ERRNO:KIND  so does that one, and from then on all of its class: memory or
 *                                     descriptors are used up, the disk is full, no process can be
 *                                     made
 *     PLAIT_INJECT=eintr:N            one in N of the calls that a signal may interrupt says EINTR
 *     PLAIT_INJECT_FILE=FILE          gets struct state: what was reached and what failed
 *     PLAIT_INJECT_AGAIN=…            the same for the program when it executes itself again, whose
 *     PLAIT_INJECT_AGAIN_FILE=FILE    points are counted for themselves: by all such processes
 *     PLAIT_INJECT_NO_TMPFILE=1       O_TMPFILE is not supported
 *     PLAIT_INJECT_TRAP=1             SIGTRAP before the failure: gdb shows where it is
 *
 * These variables and LD_PRELOAD are taken out of the environment at once, so that other programs
 * that are executed know nothing of this; the forks keep it, with one counter.
 */
#include "inject_points.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_BYTES = 24,
    KINDS_MAX = 96,
    TRACE_MAX = 65536,
    WORDS = 6, /* of the environment, for the program again */
    WORD_BYTES = 512
};

static const struct {
    char name[NAME_BYTES];
    enum class class;
    bool interruptible;
} kinds[KIND_COUNT] = {

#define X(name, class, interruptible) { #name, class, interruptible },
    KINDS(X)
#undef X
};

struct point {
    uint64_t place; /* offset of the call in the program; with the highest bit, in a library */
    uint16_t kind;
    uint16_t is_fork; /* not the program's first process */
    uint32_t error;   /* what it failed with; 0: it did not */
};

/* What the file holds; read by inject.py. */
struct state {
    uint32_t n_kinds;
    uint32_t reached; /* atomic, relaxed, like the next one: a count and no more */
    uint32_t failed;
    uint32_t spare;
    char names[KINDS_MAX][NAME_BYTES];
    struct point first; /* the first one that failed */
    struct point trace[TRACE_MAX];
};

_Static_assert((int)KIND_COUNT <= (int)KINDS_MAX, "each kind has a name");

static enum {
    OFF,
    COUNT,
    FAIL,
    FROM,
    EINTR_EVERY
} mode;
static struct state *state;
static uint32_t wanted; /* N */
static int wanted_error = EINTR;
static enum kind wanted_kind = KIND_NONE; /* any */
static bool traps;                        /* for a debugger */
static bool without_tmpfile;              /* as on a file system that knows no O_TMPFILE */
static char handed_on[WORDS][WORD_BYTES];
static int n_handed_on;
static pid_t first_process;
static uintptr_t text_begin, text_end, base;

/* The program itself is the first that is told. */
static int find_text(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    (void)arg;
    base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
            text_begin = base + part->p_vaddr;
            text_end = text_begin + part->p_memsz;
        }
    }
    return 1;
}

static bool is_ours(const void *place)
{
    return (uintptr_t)place >= text_begin && (uintptr_t)place < text_end;
}

/* The first failure: of the calls that come at once, one. */
static bool is_wanted(uint32_t number, const struct point *point)
{
    uint32_t none = 0;

    return number >= wanted && (wanted_kind == KIND_NONE || point->kind == wanted_kind) &&
           __atomic_compare_exchange_n(&state->failed, &none, 1, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
}

static bool must_fail(uint32_t number, const struct point *point)
{
    switch (mode) {
    case FAIL:
        return is_wanted(number, point);
    case FROM:
        if (is_wanted(number, point))
            return true;
        return number > wanted && state->failed > 0 && kinds[point->kind].class != ONCE &&
               kinds[point->kind].class == kinds[state->first.kind].class;
    case EINTR_EVERY:
        /* scattered: in step with a loop of two calls it would never let the second one through */
        return number * UINT32_C(2654435769) >> 16 < 65536 / wanted;
    case OFF:
    case COUNT:
        break;
    }
    return false;
}

bool fails(enum kind kind, const void *place, bool from_anywhere)
{
    struct point point = { .kind = (uint16_t)kind };
    uint32_t number;

    if (mode == OFF || kind == KIND_NONE || (!from_anywhere && !is_ours(place)))
        return false;
    if (mode == EINTR_EVERY && !kinds[kind].interruptible)
        return false;
    point.is_fork = getpid() != first_process;
    point.place =
        is_ours(place) ? (uintptr_t)place - base : UINT64_C(1) << 63 | ((uintptr_t)place & 0xfff);
    number = __atomic_add_fetch(&state->reached, 1, __ATOMIC_RELAXED);
    if (mode == COUNT && number <= TRACE_MAX)
        state->trace[number - 1] = point;
    if (!must_fail(number, &point))
        return false;
    if (traps)
        raise(SIGTRAP);
    errno = wanted_error;
    point.error = (uint32_t)wanted_error;
    if (state->first.error == 0)
        state->first = point;
    if (mode == EINTR_EVERY)
        __atomic_add_fetch(&state->failed, 1, __ATOMIC_RELAXED);
    return true;
}

static struct state *map_state(const char *path)
{
    int fd = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    void *memory;

    if (fd < 0 || ftruncate(fd, sizeof(struct state)) < 0)
        return NULL;
    memory = mmap(NULL, sizeof(struct state), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return memory == MAP_FAILED ? NULL : memory;
}

bool fails_for_good(void)
{
    return mode == FROM;
}

bool is_without_tmpfile(void)
{
    return without_tmpfile;
}

/* ---- the environment ---- */

static void hand_on(const char *name, const char *value)
{
    if (value != NULL &&
        snprintf(handed_on[n_handed_on++], WORD_BYTES, "%s=%s", name, value) >= WORD_BYTES)
        abort();
}

/* What the program that is executed again finds, in which these variables are its own. */
static void remember_again(const char *again)
{
    if (again == NULL)
        return;
    hand_on("LD_PRELOAD", getenv("LD_PRELOAD"));
    hand_on("PLAIT_INJECT", again);
    hand_on("PLAIT_INJECT_AGAIN", again);
    hand_on("PLAIT_INJECT_FILE", getenv("PLAIT_INJECT_AGAIN_FILE"));
    hand_on("PLAIT_INJECT_AGAIN_FILE", getenv("PLAIT_INJECT_AGAIN_FILE"));
    hand_on("PLAIT_INJECT_TRAP", getenv("PLAIT_INJECT_TRAP"));
}

static bool is_this_program(const char *path)
{
    struct stat program, other;

    return stat("/proc/self/exe", &program) == 0 && stat(path, &other) == 0 &&
           program.st_ino == other.st_ino && program.st_dev == other.st_dev;
}

char *const *environment_of(const char *path, char *const *from, char **ret, int room)
{
    int n = 0;

    if (n_handed_on == 0 || !is_this_program(path))
        return from;
    for (; *from != NULL && n + n_handed_on + 1 < room; from++)
        ret[n++] = *from;
    for (int i = 0; i < n_handed_on; i++)
        ret[n++] = handed_on[i];
    ret[n] = NULL;
    return ret;
}

__attribute__((constructor)) static void begin(void)
{
    static const char *const variables[] = { "LD_PRELOAD",
                                             "PLAIT_INJECT",
                                             "PLAIT_INJECT_AGAIN",
                                             "PLAIT_INJECT_FILE",
                                             "PLAIT_INJECT_AGAIN_FILE",
                                             "PLAIT_INJECT_NO_TMPFILE",
                                             "PLAIT_INJECT_TRAP" };
    static const char *const modes[] = { "off", "count", "fail", "from", "eintr" };
    const char *what = getenv("PLAIT_INJECT");
    char word[16] = "", kind[NAME_BYTES] = "";

    wanted = 1;
    if (what == NULL || sscanf(what, "%15[a-z]:%u:%d:%23s", word, &wanted, &wanted_error, kind) < 1)
        return;
    dl_iterate_phdr(find_text, NULL);
    state = map_state(getenv("PLAIT_INJECT_FILE"));
    if (state == NULL || wanted == 0)
        abort();
    state->n_kinds = KIND_COUNT;
    for (int i = 0; i < KIND_COUNT; i++) {
        memcpy(state->names[i], kinds[i].name, NAME_BYTES);
        if (strcmp(kinds[i].name, kind) == 0)
            wanted_kind = i;
    }
    without_tmpfile = getenv("PLAIT_INJECT_NO_TMPFILE") != NULL;
    traps = getenv("PLAIT_INJECT_TRAP") != NULL;
    remember_again(getenv("PLAIT_INJECT_AGAIN"));
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    first_process = getpid();
    for (int i = COUNT; i <= EINTR_EVERY; i++)
        if (strcmp(word, modes[i]) == 0)
            mode = i;
}
