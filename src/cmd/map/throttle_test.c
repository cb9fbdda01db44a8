/* Tests of what holds back the next job; the clock and /proc are the tests' own.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/throttle.h"

#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static char proc[] = "/tmp/plait-throttle-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[64];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", proc, name);
    file = fopen(path, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK_INT(fclose(file), 0);
}

static void remove_proc(void)
{
    char path[64];

    snprintf(path, sizeof path, "%s/loadavg", proc);
    unlink(path);
    snprintf(path, sizeof path, "%s/meminfo", proc);
    unlink(path);
    rmdir(proc);
}

TEST(without_options_a_job_starts_at_once)
{
    struct map_throttle throttle;

    map_throttle_init(&throttle, &(struct map_options){ 0 });
    map_throttle_started(&throttle, 5 * SECOND);
    CHECK_INT(map_throttle_when(&throttle, 5 * SECOND), 5 * SECOND);
}

TEST(delay_is_counted_from_start_to_start)
{
    struct map_throttle throttle;

    map_throttle_init(&throttle, &(struct map_options){ .delay_ns = 2 * SECOND });
    CHECK_INT(map_throttle_when(&throttle, 10 * SECOND), 10 * SECOND);
    map_throttle_started(&throttle, 10 * SECOND);
    CHECK_INT(map_throttle_when(&throttle, 11 * SECOND), 12 * SECOND);
    CHECK_INT(map_throttle_when(&throttle, 12 * SECOND), 12 * SECOND);
}

/* Starts as fast as it is allowed to for ten seconds; no window of one second may hold more than the rate. */
TEST(no_window_of_a_second_holds_more_than_the_rate)
{
    struct map_throttle throttle;
    int64_t starts[200], now = 0;
    int n = 0;

    map_throttle_init(&throttle, &(struct map_options){ .rate_per_s = 7 });
    while (now < 10 * SECOND) {
        now = map_throttle_when(&throttle, now);
        map_throttle_started(&throttle, now);
        starts[n++] = now;
    }
    CHECK(n >= 69 && n <= 71);
    for (int i = 7; i < n; i++)
        CHECK(starts[i] - starts[i - 7] > SECOND);
}

TEST(load_holds_back_until_it_has_sunk)
{
    struct map_throttle throttle;

    CHECK(mkdtemp(proc) != NULL);
    map_throttle_init(&throttle, &(struct map_options){ .load = 2 });
    throttle.proc = proc;
    write_file("loadavg", "2.50 1.00 0.50 1/100 1\n");
    CHECK_INT(map_throttle_when(&throttle, 10 * SECOND), 11 * SECOND);
    write_file("loadavg", "1.99 1.00 0.50 1/100 1\n");
    CHECK_INT(map_throttle_when(&throttle, 10 * SECOND + 1),
              11 * SECOND); /* not looked at more often */
    CHECK_INT(map_throttle_when(&throttle, 11 * SECOND), 11 * SECOND);
    remove_proc();
}

TEST(too_little_free_memory_holds_back)
{
    struct map_throttle throttle;

    CHECK(mkdtemp(proc) != NULL);
    map_throttle_init(&throttle, &(struct map_options){ .memfree = 1024 * 1024 });
    throttle.proc = proc;
    write_file("meminfo", "MemTotal: 9999 kB\nMemAvailable:    1023 kB\n");
    CHECK_INT(map_throttle_when(&throttle, 0), SECOND);
    write_file("meminfo", "MemTotal: 9999 kB\nMemAvailable:    1024 kB\n");
    CHECK_INT(map_throttle_when(&throttle, SECOND), SECOND);
    remove_proc();
}

TEST(what_cannot_be_read_holds_nothing_back)
{
    struct map_throttle throttle;

    map_throttle_init(&throttle, &(struct map_options){ .load = 0.1, .memfree = UINT64_MAX });
    throttle.proc = "/nowhere";
    CHECK_INT(map_throttle_when(&throttle, 3), 3);
}
