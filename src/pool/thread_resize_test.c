/* A pool of threads that cannot grow as it should.
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <plait/pool.h>
#include <plait/task.h>

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define HAS_SANITIZER true
#else
#    define HAS_SANITIZER false
#endif

/* The address space that this process has, and some more. */
static rlim_t space(rlim_t more)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    CHECK(file != NULL && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
}

TEST_LIMIT(a_resize_that_fails_leaves_the_pool_as_it_was, 60)
{
    plait_pool_opts opts = { .workers = 2 };
    plait_pool_usage usage;
    plait_pool *pool = NULL;
    struct rlimit limit;

    if (HAS_SANITIZER)
        test_skip("sanitizers need terabytes of address space");
    CHECK_INT(plait_pool_create(&pool, PLAIT_THREAD, &opts), 0);
    CHECK_INT(getrlimit(RLIMIT_AS, &limit), 0);
    CHECK_INT(setrlimit(RLIMIT_AS, &(struct rlimit){ space(64 << 20), limit.rlim_max }), 0);
    CHECK(plait_pool_resize(pool, 1000) < 0);
    CHECK_INT(setrlimit(RLIMIT_AS, &limit), 0);
    do {
        plait_sleep(plait_after_ms(1));
        CHECK_INT(plait_pool_stats(pool, &usage), 0);
    } while (usage.workers > 2);
    CHECK_INT(plait_pool_resize(pool, 3), 0);
    plait_pool_destroy(pool);
}
