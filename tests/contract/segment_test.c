/* The contract of named segments: blocks and offsets.
 * SPDX-License-Identifier: MIT
 */
#include "strangers.h"

#include "family/segment_layout.h"
#include "sync/owned.h"
#include "threads.h"

#include <sched.h>
#include <sys/mount.h>

static void *get(plait_segment *segment, const char *key, size_t bytes)
{
    void *block = NULL;

    CHECK_INT(plait_segment_get(segment, &block, key, bytes, PLAIT_NOWAIT), 0);
    CHECK((uintptr_t)block % 64 == 0);
    return block;
}

static int refuse(plait_segment *segment, const char *key, size_t bytes)
{
    void *block = NULL;
    int rc = plait_segment_get(segment, &block, key, bytes, PLAIT_NOWAIT);

    CHECK(rc < 0 && block == NULL);
    return rc;
}

BOTH(a_block_is_made_of_zeroes_and_found_again)
{
    plait_segment *segment = open_segment(name);
    char *first = get(segment, "first", 100), *second = get(segment, "second", 1);

    for (int i = 0; i < 100; i++)
        CHECK_INT(first[i], 0);
    memset(first, 1, 100);
    CHECK_INT(second[0], 0);
    CHECK(second >= first + 100 || second < first);
    CHECK(get(segment, "first", 100) == first);
    CHECK(get(segment, "second", 1) == second);
    CHECK_INT(refuse(segment, "first", 101), -EINVAL);
    CHECK_INT(refuse(segment, "second", 2), -EINVAL);
}

BOTH(keys_are_told_apart_whole)
{
    plait_segment *segment = open_segment(name);
    char key[64];
    char *blocks[47];

    memset(key, 'k', sizeof key);
    key[48] = '\0';
    CHECK_INT(refuse(segment, key, 8), -ENAMETOOLONG);
    for (int n = 47; n > 0; n--) {
        key[n] = '\0';
        blocks[n - 1] = get(segment, key, 8);
        for (int k = n; k < 47; k++)
            CHECK(blocks[k] != blocks[n - 1]);
    }
    CHECK_INT(refuse(segment, "", 8), -EINVAL);
    CHECK_INT(refuse(segment, NULL, 8), -EINVAL);
    CHECK_INT(refuse(segment, "x", 0), -EINVAL);
    CHECK_INT(refuse(NULL, "x", 8), -EINVAL);
    CHECK_INT(plait_segment_get(segment, NULL, "x", 8, PLAIT_NOWAIT), -EINVAL);
}

BOTH(all_its_bytes_can_be_had_and_no_more)
{
    plait_segment_opts opts = { .bytes = 1000 * 64 };
    plait_segment *segment = NULL;
    char *block;

    CHECK_INT(plait_segment_open(&segment, name, &opts, PLAIT_FOREVER), 0);
    CHECK_INT(plait_segment_bytes(segment), 1000 * 64);
    CHECK_INT(refuse(segment, "all", 1000 * 64 + 1), -ENOMEM);
    CHECK_INT(refuse(segment, "all", SIZE_MAX), -ENOMEM);
    block = get(segment, "all but one", 999 * 64 - 5);
    memset(block, 7, 999 * 64 - 5);
    CHECK_INT(refuse(segment, "two", 65), -ENOMEM);
    block = get(segment, "one", 64);
    memset(block, 8, 64);
    CHECK_INT(refuse(segment, "one more", 1), -ENOMEM);
    CHECK(get(segment, "one", 64) == block);
}

BOTH(so_many_names_and_no_more)
{
    plait_segment *segment = NULL;
    plait_segment_opts opts = { .bytes = 64 * 64 };
    char key[16];

    CHECK_INT(plait_segment_open(&segment, name, &opts, PLAIT_FOREVER), 0);
    for (int i = 0; i < 62; i++) {
        snprintf(key, sizeof key, "%d", i);
        *(int *)get(segment, key, sizeof(int)) = i;
    }
    CHECK_INT(refuse(segment, "one more", 1), -ENOMEM);
    for (int i = 0; i < 62; i++) {
        snprintf(key, sizeof key, "%d", i);
        CHECK_INT(*(int *)get(segment, key, sizeof(int)), i);
    }
}

BOTH(offsets_mean_the_same_to_all_and_are_checked)
{
    plait_segment *segment = open_segment(name);
    char *block = get(segment, "block", 1000), *end;
    uint64_t offset = plait_segment_offset(segment, block);

    CHECK(offset > 0);
    CHECK(plait_segment_at(segment, offset, 1000) == block);
    CHECK_INT(plait_segment_offset(segment, block + 999), offset + 999);
    end = plait_segment_at(segment, offset, plait_segment_bytes(segment));
    CHECK(end == block);
    CHECK(plait_segment_at(segment, offset, plait_segment_bytes(segment) + 1) == NULL);
    CHECK(plait_segment_at(segment, offset + 1, plait_segment_bytes(segment)) == NULL);
    CHECK(plait_segment_at(segment, offset, SIZE_MAX) == NULL);
    CHECK(plait_segment_at(segment, UINT64_MAX, 2) == NULL);
    CHECK(plait_segment_at(segment, 0, 1) == NULL);
    CHECK(plait_segment_at(segment, offset - 1, 1) == NULL);
    CHECK_INT(plait_segment_offset(segment, block - 1), 0);
    CHECK_INT(plait_segment_offset(segment, &offset), 0);
    CHECK_INT(plait_segment_offset(segment, NULL), 0);
}

TEST(what_is_not_open_is_refused_everywhere)
{
    plait_segment *segment = open_segment(make_name(false)), *none = NULL;
    char other[64] = { 0 };

    CHECK_INT(plait_segment_close(segment), 0);
    CHECK_INT(plait_segment_close(segment), -EINVAL);
    CHECK_INT(plait_segment_close(none), 0);
    CHECK_INT(plait_segment_close((plait_segment *)(void *)other), -EINVAL);
    CHECK_INT(refuse(segment, "x", 1), -EINVAL);
    CHECK(plait_segment_name(segment) == NULL);
    CHECK_INT(plait_segment_bytes(segment), 0);
    CHECK(plait_segment_at(segment, 4096, 1) == NULL);
    CHECK_INT(plait_segment_offset(segment, &segment), 0);
}

enum {
    BLOCKS = 200,
    THREADS = 4
};

/* Each makes all of them: they count how many have come. */
PART(make_blocks)
{
    plait_segment *segment = open_segment(segment_name);
    char key[16];

    add_number(stage, 0);
    while (number(stage, 0) < 6) /* all at once */
        ;
    for (int i = 0; i < BLOCKS; i++) {
        void *block = NULL;
        snprintf(key, sizeof key, "%d", i);
        CHECK_INT(plait_segment_get(segment, &block, key, 100 + (size_t)i, PLAIT_FOREVER), 0);
        __atomic_fetch_add((uint32_t *)block, 1, __ATOMIC_SEQ_CST);
    }
}

BOTH(who_makes_the_same_block_at_once_gets_the_same)
{
    plait_segment *segment = open_segment(name);
    pid_t pids[5];
    char key[16];

    for (int i = 0; i < 5; i++)
        pids[i] = start_stranger("make_blocks", name);
    UNTIL(number(stage_of(segment), 0) == 5);
    add_number(stage_of(segment), 0);
    for (int i = 0; i < 5; i++)
        see_end(pids[i]);
    for (int i = 0; i < BLOCKS; i++) {
        snprintf(key, sizeof key, "%d", i);
        CHECK_INT(*(uint32_t *)get(segment, key, 100 + (size_t)i), 5);
    }
}

enum {
    OWN_BLOCKS = 700
};

static int32_t *get_own(plait_segment *segment, int i)
{
    void *block = NULL;
    char key[32];

    snprintf(key, sizeof key, "%d.%d", (int)getpid(), i);
    CHECK_INT(plait_segment_get(segment, &block, key, sizeof(int32_t), PLAIT_FOREVER), 0);
    return block;
}

PART(make_own_blocks)
{
    plait_segment *segment = open_segment(segment_name);

    add_number(stage, 0);
    UNTIL(number(stage, 0) == 6);
    for (int i = 0; i < OWN_BLOCKS; i++)
        *get_own(segment, i) = getpid();
    for (int i = 0; i < OWN_BLOCKS; i++)
        CHECK_INT(*get_own(segment, i), getpid());
}

BOTH(who_makes_different_blocks_at_once_has_them_alone)
{
    plait_segment_opts opts = { .bytes = 16 << 20 };
    plait_segment *segment = NULL;
    pid_t pids[5];

    CHECK_INT(plait_segment_open(&segment, name, &opts, PLAIT_FOREVER), 0);
    for (int i = 0; i < 5; i++)
        pids[i] = start_stranger("make_own_blocks", name);
    UNTIL(number(stage_of(segment), 0) == 5);
    add_number(stage_of(segment), 0);
    for (int i = 0; i < 5; i++)
        see_end(pids[i]);
}

PART(hold_list)
{
    plait_segment *segment = open_segment(segment_name);
    char *base = (char *)stage - plait_segment_offset(segment, stage);

    CHECK_INT(plait__owned_acquire(&plait__segment_index(base)->lock, false, PLAIT_FOREVER), 0);
    add_number(stage, 0);
    stay();
}

BOTH(one_at_a_time_makes_a_block_and_who_is_killed_in_it_is_followed)
{
    plait_segment *segment = open_segment(name);
    struct stage *stage = stage_of(segment);
    pid_t other = start_stranger("hold_list", name);

    UNTIL(number(stage, 0) == 1);
    CHECK_INT(refuse(segment, "new", 8), -ETIMEDOUT);
    CHECK(get(segment, "stage", sizeof *stage) == stage); /* to find one needs no lock */
    kill_stranger(other);
    CHECK_INT(plait_segment_get(segment, (void **)&stage, "new", 8, PLAIT_FOREVER), 0);
    get(segment, "newer", 8);
}

static const char *shared_name;
static plait_segment *opened[THREADS];
static uint32_t n_opened;

static void open_in_thread(void *arg)
{
    plait_segment *segment = open_segment(shared_name);

    *(plait_segment **)arg = segment;
    __atomic_fetch_add(&n_opened, 1, __ATOMIC_RELEASE);
}

BOTH(threads_that_open_it_at_once_get_the_same)
{
    shared_name = name;
    for (int i = 0; i < THREADS; i++)
        CHECK_INT(start_detached(open_in_thread, &opened[i], 0), 0);
    UNTIL(__atomic_load_n(&n_opened, __ATOMIC_ACQUIRE) == THREADS);
    for (int i = 0; i < THREADS; i++) {
        CHECK(opened[i] == opened[0]);
        stage_of(opened[0]);
        CHECK_INT(plait_segment_close(opened[0]), 0);
    }
    CHECK_INT(plait_segment_close(opened[0]), -EINVAL);
}

/* ---- deaths and scribblers ---- */

PART(make_blocks_for_ever)
{
    plait_segment *segment = open_segment(segment_name);
    char key[32];

    add_number(stage, 0);
    for (int i = 0;; i++) {
        void *block = NULL;
        snprintf(key, sizeof key, "%d.%d", (int)getpid(), i);
        if (plait_segment_get(segment, &block, key, 8, PLAIT_FOREVER) == -ENOMEM)
            stay();
    }
}

/* It may have been killed in the middle, which takes a while to be seen; or there is no name
 * left. */
static void get_in_time(plait_segment *segment, const char *key, size_t bytes)
{
    void *block = NULL;
    int rc = plait_segment_get(segment, &block, key, bytes, PLAIT_FOREVER);

    CHECK(rc == 0 || rc == -ENOMEM);
}

BOTH(who_is_killed_while_it_makes_a_block_is_in_nobodys_way)
{
    unsigned seed = 3;

    for (int i = 0; i < 20; i++) {
        plait_segment_opts opts = { .bytes = 8 << 20 }; /* of so many names that some are left */
        plait_segment *segment = NULL;
        char one[128];
        pid_t other;
        snprintf(one, sizeof one, "%.100s-%d", name, i);
        CHECK_INT(plait_segment_open(&segment, one, &opts, PLAIT_FOREVER), 0);
        other = start_stranger("make_blocks_for_ever", one);
        UNTIL(number(stage_of(segment), 0) == 1);
        usleep(rand_r(&seed) % 300);
        kill_stranger(other);
        get_in_time(segment, "after", 8);
        CHECK_INT(plait_segment_close(segment), 0);
    }
}

BOTH(whatever_is_written_over_its_beginning_nothing_breaks)
{
    plait_segment *segment = open_segment(name);
    char *first = get(segment, "0", 100), key[8];
    char *begin = first - plait_segment_offset(segment, first), *end = first;
    unsigned seed = 5;

    for (int round = 0; round < 3000; round++) {
        for (int i = rand_r(&seed) % 40; i > 0; i--) {
            /* mostly where there are entries, else anywhere before the blocks */
            size_t room = rand_r(&seed) % 2 ? 600 : (size_t)(end - begin);
            begin[rand_r(&seed) % room] = (char)(rand_r(&seed) % 3 ? rand_r(&seed) : 0);
        }
        for (int i = 0; i < 4; i++) {
            void *block = NULL;
            size_t bytes = i % 2 ? 100 : 1 + rand_r(&seed) % 100000;
            snprintf(key, sizeof key, "%d", rand_r(&seed) % 8);
            int rc = plait_segment_get(segment, &block, key, bytes, PLAIT_NOWAIT);
            CHECK(rc == 0 || rc == -EINVAL || rc == -ENOMEM || rc == -EBADMSG || rc == -ETIMEDOUT);
            if (rc == 0)
                memset(block, rc, bytes);
            CHECK(rc != 0 ||
                  plait_segment_at(segment, plait_segment_offset(segment, block), bytes));
        }
    }
    CHECK_INT(plait_segment_close(segment), 0);
}

/* ---- a small file system ---- */

/* In a mount namespace of its own, where it is unprivileged too. */
TEST(a_full_file_system_is_said_when_it_is_made)
{
    plait_segment *segment = NULL;
    plait_segment_opts opts = { .bytes = 1 << 20 };
    char path[128];

    make_name(true);
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
        remove_folder();
        test_skip("no mount namespaces can be made here");
    }
    CHECK_INT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    if (mount("none", folder, "tmpfs", 0, "size=256k") < 0) {
        remove_folder();
        test_skip("no mount namespaces can be made here");
    }
    snprintf(path, sizeof path, "%s/segment", folder);
    CHECK_INT(plait_segment_open(&segment, path, &opts, PLAIT_FOREVER), -ENOSPC);
    CHECK_INT(count_files(), 0);
    opts.bytes = 100 << 10;
    CHECK_INT(plait_segment_open(&segment, path, &opts, PLAIT_FOREVER), 0);
    memset(get(segment, "all", 100 << 10), 1, 100 << 10);
    CHECK_INT(plait_segment_close(segment), 0);
    CHECK_INT(count_files(), 0);
    CHECK_INT(umount(folder), 0);
    remove_folder();
}
