/* What a process task leaves to its parent.
 * SPDX-License-Identifier: MIT
 *
 * They live in shared pages, many in each, which are kept until this process ends: to make a page
 * and unmake it would cost each start a tenth of a fork. Which are free is noted in memory of our
 * own, where no child can spoil it.
 */
#include "task/verdict.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum {
    PAGE_SLOTS = 64
};

/* Siblings write to theirs at the same time: none shares a cache line. */
union slot {
    struct plait__verdict verdict;
    char lines[128];
};

static struct {
    struct plait__mutex lock;
    pid_t owner;                  /* lock: whose they are; in a forked child still the parent's */
    struct plait__verdict **free; /* lock: a stack, with room for all that there are */
    size_t n_free, n_all;         /* lock */
    size_t cap;                   /* lock */
} verdicts;

void plait__verdict_set_error(struct plait__verdict *verdict, int error, const char *step)
{
    verdict->error = error;
    strncpy(verdict->step, step, sizeof verdict->step - 1);
}

void plait__verdicts_reset(void)
{
    plait__mutex_reset(&verdicts.lock);
}

static int add_page(void)
{
    size_t cap = verdicts.n_all + PAGE_SLOTS;
    union slot *page;

    if (cap > verdicts.cap) {
        struct plait__verdict **free = reallocarray(verdicts.free, cap, sizeof *free);
        if (free == NULL)
            return -ENOMEM;
        verdicts.free = free;
        verdicts.cap = cap;
    }
    page = mmap(NULL, PAGE_SLOTS * sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                -1, 0);
    if (page == MAP_FAILED)
        return -ENOMEM;
    for (size_t i = PAGE_SLOTS; i > 0; i--)
        verdicts.free[verdicts.n_free++] = &page[i - 1].verdict;
    verdicts.n_all = cap;
    return 0;
}

int plait__verdict_take(struct plait__verdict **ret)
{
    int rc = 0;

    plait__mutex_lock(&verdicts.lock);
    if (verdicts.owner != getpid()) {
        verdicts.n_free = verdicts.n_all = 0;
        verdicts.owner = getpid();
    }
    if (verdicts.n_free == 0)
        rc = add_page();
    if (rc == 0) {
        *ret = verdicts.free[--verdicts.n_free];
        **ret = (struct plait__verdict){ 0 };
    }
    plait__mutex_unlock(&verdicts.lock);
    return rc;
}

void plait__verdict_give(struct plait__verdict *verdict)
{
    plait__mutex_lock(&verdicts.lock);
    verdicts.free[verdicts.n_free++] = verdict;
    plait__mutex_unlock(&verdicts.lock);
}
