/* Processes that are no relatives: this program, executed once more, in a part of its own.
 * SPDX-License-Identifier: MIT
 *
 *     PART(hold)                       // a function that a stranger runs, with its stage
 *     {
 *         CHECK_INT(plait_lock_acquire(&stage->lock, PLAIT_FOREVER), 0);
 *         …
 *     }
 *     …
 *     pid_t pid = start_stranger("hold", name);
 */
#ifndef PLAIT_TESTS_STRANGERS_H
#define PLAIT_TESTS_STRANGERS_H

#include <plait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

/* What lies in the segment. */
struct stage {
    plait_lock lock;
    plait_rlock rlock;
    plait_rwlock rwlock;
    plait_semaphore semaphore;
    plait_held_semaphore held;
    plait_event event;
    plait_condition condition;
    plait_barrier barrier;
    plait_once once;
    int32_t numbers[8]; /* atomic */
    long sum;           /* lock */
};

struct part {
    const char *name;
    void (*run)(struct stage *stage, const char *segment_name);
    struct part *next;
};

static struct part *first_part;

#define PART(name)                                                      \
    static void name(struct stage *stage, const char *segment_name);    \
    static struct part name##_part = { #name, name, NULL };             \
    __attribute__((constructor(101))) static void name##_register(void) \
    {                                                                   \
        name##_part.next = first_part;                                  \
        first_part = &name##_part;                                      \
    }                                                                   \
    static void name(__attribute__((unused)) struct stage *stage,       \
                     __attribute__((unused)) const char *segment_name)

static inline struct stage *stage_of(plait_segment *segment)
{
    void *stage = NULL;

    CHECK_INT(plait_segment_get(segment, &stage, "stage", sizeof(struct stage), PLAIT_FOREVER), 0);
    return stage;
}

static inline plait_segment *open_segment(const char *name)
{
    plait_segment *segment = NULL;

    CHECK_INT(plait_segment_open(&segment, name, NULL, plait_after_ms(60000)), 0);
    return segment;
}

/* A part whose name begins with "no_stage" opens nothing before it. */
__attribute__((constructor(102))) static void play_part(void)
{
    const char *name = getenv("STRANGER_PART"), *segment_name = getenv("STRANGER_SEGMENT");

    for (struct part *part = first_part; name != NULL && part != NULL; part = part->next) {
        struct stage *stage = NULL;
        if (strcmp(part->name, name) != 0)
            continue;
        unsetenv("STRANGER_PART");
        if (strncmp(name, "no_stage", 8) != 0)
            stage = stage_of(open_segment(segment_name));
        part->run(stage, segment_name);
        exit(0);
    }
}

static inline pid_t start_stranger(const char *part, const char *segment_name)
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        setenv("STRANGER_PART", part, 1);
        setenv("STRANGER_SEGMENT", segment_name, 1);
        execl("/proc/self/exe", "stranger", (char *)NULL);
        _exit(98);
    }
    return pid;
}

static inline void see_end(pid_t pid)
{
    int status;

    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
}

static inline void kill_stranger(pid_t pid)
{
    int status;

    CHECK_INT(kill(pid, SIGKILL), 0);
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK(WIFSIGNALED(status));
}

static inline int32_t number(struct stage *stage, int i)
{
    return __atomic_load_n(&stage->numbers[i], __ATOMIC_SEQ_CST);
}

static inline void set_number(struct stage *stage, int i, int32_t to)
{
    __atomic_store_n(&stage->numbers[i], to, __ATOMIC_SEQ_CST);
}

static inline void add_number(struct stage *stage, int i)
{
    __atomic_fetch_add(&stage->numbers[i], 1, __ATOMIC_SEQ_CST);
}

#define UNTIL(expr)                         \
    do {                                    \
        while (!(expr))                     \
            plait_sleep(plait_after_ms(1)); \
    } while (0)

static inline void stay(void)
{
    for (;;)
        pause();
}

/* ---- names ---- */

static char folder[64]; /* of this case's paths; "" without one */

static inline const char *make_name(bool is_path)
{
    static char name[128];

    if (is_path && folder[0] == '\0') {
        snprintf(folder, sizeof folder, "/tmp/plait-segment-XXXXXX");
        CHECK(mkdtemp(folder) != NULL);
    }
    if (is_path)
        snprintf(name, sizeof name, "%s/segment", folder);
    else
        snprintf(name, sizeof name, "test-%d", (int)getpid());
    return name;
}

/* How many files are there; none is removed. */
static inline int count_files(void)
{
    DIR *dir = opendir(folder);
    int n = 0;

    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static inline void remove_folder(void)
{
    char path[96];

    if (folder[0] == '\0')
        return;
    snprintf(path, sizeof path, "%s/segment", folder);
    unlink(path);
    CHECK_INT(rmdir(folder), 0);
}

/* One body for both kinds of name. */
#define BOTH_LIMIT(claim, seconds)       \
    static void claim(const char *name); \
    TEST_LIMIT(claim##_by_path, seconds) \
    {                                    \
        claim(make_name(true));          \
        remove_folder();                 \
    }                                    \
    TEST_LIMIT(claim##_by_name, seconds) \
    {                                    \
        claim(make_name(false));         \
    }                                    \
    static void claim(const char *name)

#define BOTH(claim) BOTH_LIMIT(claim, 60)

#endif
