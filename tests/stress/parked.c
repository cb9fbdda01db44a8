/* Very many coroutines that wait, and what they cost.
 * SPDX-License-Identifier: MIT
 *
 * PLAIT_COROUTINES says how many; without it a number that fits into the checks.
 */
#include <plait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum {
    COROUTINES = 20000,
    BYTES_EACH = 4617, /* 4.3 GiB of a million: a page, and what maps it */
    SLACK_KIB = 2048,  /* of what all share */
};

static plait_event event;
static uint32_t n_begun, n_ended;

static int wait_for_all(void *arg)
{
    (void)arg;
    n_begun++;
    CHECK_INT(plait_event_wait(&event, PLAIT_FOREVER), 0);
    n_ended++;
    return 0;
}

/* Memory with page tables. */
static long used_kib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    long kib = 0, value;

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &value) == 1 || sscanf(line, "VmPTE: %ld", &value) == 1)
            kib += value;
    fclose(file);
    return kib;
}

TEST_LIMIT(very_many_coroutines_that_wait_cost_a_page_each_and_all_go_on, 100)
{
    const char *text = getenv("PLAIT_COROUTINES");
    uint32_t n = text != NULL && atol(text) > 0 ? (uint32_t)atol(text) : COROUTINES;
    long before, kib;

    CHECK_INT(plait_go(wait_for_all, NULL), 0); /* the loop and its first stacks */
    plait_yield();
    before = used_kib();
    for (uint32_t i = 1; i < n; i++)
        CHECK_INT(plait_go(wait_for_all, NULL), 0);
    while (n_begun < n)
        plait_yield();
    kib = used_kib() - before;
    printf("    %u parked: %ld KiB, %ld bytes each\n", n, kib, kib * 1024 / (long)n);
    CHECK_INT(n_ended, 0);
    CHECK(kib <= (long)((uint64_t)n * BYTES_EACH / 1024) + SLACK_KIB);
    CHECK_INT(plait_event_set(&event), 0);
    while (n_ended < n)
        plait_yield();
}
