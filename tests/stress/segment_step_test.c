/* A process is killed at every instruction of what is done to named segments.
 * SPDX-License-Identifier: MIT
 *
 * After each kill: the others open it, find what they had in it, and make blocks; and when they
 * have closed it, nothing is left.
 */
#include "step.h"

#include <plait/segment.h>
#include <plait/shared.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    plait_segment *segment; /* of the survivor, before the fork; NULL: none */
    char name[96];
};

static const plait_segment_opts small = { .bytes = 4096 };

static plait_segment *open_it(const struct scene *scene)
{
    plait_segment *segment = NULL;

    CHECK_INT(plait_segment_open(&segment, scene->name, &small, plait_after_ms(60000)), 0);
    return segment;
}

static uint32_t *get_block(plait_segment *segment, const char *key)
{
    void *block = NULL;

    CHECK_INT(plait_segment_get(segment, &block, key, 100, plait_after_ms(60000)), 0);
    return block;
}

static char folder[64]; /* of this case: surveys leave something there */

static struct scene *make_scene(void)
{
    struct scene *scene = plait_shared_alloc(sizeof *scene);

    CHECK(scene != NULL);
    snprintf(scene->name, sizeof scene->name, "%s/%d", folder, (int)getpid());
    return scene;
}

/* Files whose names begin so. With `removes` they are removed. */
static int count_in_folder(const char *prefix, bool removes)
{
    DIR *dir = opendir(folder);
    int n = 0;

    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        n++;
        if (removes)
            CHECK_INT(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    }
    closedir(dir);
    return n;
}

static int count_files(const struct scene *scene)
{
    return count_in_folder(strrchr(scene->name, '/') + 1, false);
}

static void step_in_folder(const struct step_call *call)
{
    snprintf(folder, sizeof folder, "/tmp/plait-step-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    step_test(call);
    count_in_folder("", true);
    CHECK_INT(rmdir(folder), 0);
}

#define SEGMENT_TEST(claim, call)   \
    TEST_LIMIT(claim, STEP_LIMIT_S) \
    {                               \
        step_in_folder(call);       \
    }

/* ---- what the survivor finds ---- */

static const char *check_open(void *state, const struct step_result *at)
{
    struct scene *scene = state;
    int n_files = count_files(scene);
    plait_segment *segment;

    (void)at;
    CHECK(n_files <= 1);
    segment = open_it(scene);
    if (scene->segment != NULL) {
        CHECK(segment == scene->segment);
        CHECK_INT(*get_block(segment, "old"), 77);
        CHECK_INT(plait_segment_close(scene->segment), 0);
    }
    *get_block(segment, "new") = 1;
    CHECK_INT(plait_segment_close(segment), 0);
    CHECK_INT(count_files(scene), 0);
    return n_files > 0 ? "a file" : "no file";
}

/* ---- open ---- */

static void *new_path(void)
{
    return make_scene();
}

static void *new_path_with_names(void)
{
    setenv("PLAIT_DISABLE", "tmpfile", 1);
    return make_scene();
}

static void *stale_path(void)
{
    struct scene *scene = make_scene();
    pid_t pid = fork();

    if (pid == 0) {
        open_it(scene);
        _exit(0);
    }
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    CHECK_INT(count_files(scene), 1);
    return scene;
}

static void join(void *state)
{
    (void)state;
    CHECK(plait_shared_alloc(1) != NULL);
}

static void open_alone(void *state)
{
    open_it(state);
}

static void open_and_close(void *state)
{
    plait_segment *segment = open_it(state);

    get_block(segment, "partner");
    CHECK_INT(plait_segment_close(segment), 0);
}

static const struct step_call open_new = { .name = "open a new path",
                                           .setup = new_path,
                                           .prepare = join,
                                           .victim = open_alone,
                                           .partner = open_and_close,
                                           .check = check_open };

SEGMENT_TEST(a_victim_that_makes_a_path_is_in_nobodys_way, &open_new)

static const struct step_call open_stale = { .name = "open a path that the dead left",
                                             .setup = stale_path,
                                             .prepare = join,
                                             .victim = open_alone,
                                             .partner = open_and_close,
                                             .check = check_open };

SEGMENT_TEST(a_victim_that_renews_a_path_is_in_nobodys_way, &open_stale)

static const char *check_twice(void *state, const struct step_result *at)
{
    struct scene *scene = state;

    (void)at;
    /* the file that has a name until it is whole is removed by the next one who makes one */
    CHECK(count_files(scene) <= 1);
    CHECK_INT(plait_segment_close(open_it(scene)), 0);
    CHECK_INT(count_files(scene), 0);
    return "open";
}

static const struct step_call open_with_names = { .name = "open a new path, files with names",
                                                  .setup = new_path_with_names,
                                                  .prepare = join,
                                                  .victim = open_alone,
                                                  .check = check_twice };

SEGMENT_TEST(a_victim_that_makes_a_file_with_a_name_is_in_nobodys_way, &open_with_names)

/* ---- close, get ---- */

static void *open_path(void)
{
    struct scene *scene = make_scene();

    scene->segment = open_it(scene);
    *get_block(scene->segment, "old") = 77;
    return scene;
}

static void close_it(void *state)
{
    struct scene *scene = state;

    CHECK_INT(plait_segment_close(scene->segment), 0);
}

static const struct step_call close_shared = { .name = "close what another one has open",
                                               .setup = open_path,
                                               .prepare = join,
                                               .victim = close_it,
                                               .check = check_open };

SEGMENT_TEST(a_victim_that_closes_takes_nothing_from_the_others, &close_shared)

static void get(void *state)
{
    struct scene *scene = state;

    get_block(scene->segment, "new");
}

static void get_others(void *state)
{
    struct scene *scene = state;

    get_block(scene->segment, "other");
    get_block(scene->segment, "new");
}

static const struct step_call get_new = { .name = "make a block",
                                          .setup = open_path,
                                          .prepare = join,
                                          .victim = get,
                                          .partner = get_others,
                                          .check = check_open };

SEGMENT_TEST(a_victim_that_makes_a_block_is_in_nobodys_way, &get_new)
