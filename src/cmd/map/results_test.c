/* Tests of the tree of --results. The names without a remark are those that GNU parallel makes (20221122).
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/results.h"

#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/plait-results-XXXXXX";

static void make_dir(void)
{
    CHECK(mkdtemp(dir) != NULL);
}

static void remove_dir(void)
{
    char command[64];

    snprintf(command, sizeof command, "rm -rf %s", dir);
    CHECK_INT(system(command), 0);
}

/* Where the output of this job goes, below dir. */
static void get_out(char *ret, size_t cap, char **values, size_t n, const char *const *names)
{
    struct map_values all = { .v = values, .n = n };
    struct map_results_tree tree = { .dir = dir, .names = names, .n_names = names ? n : 0 };
    struct map_results_paths paths = { 0 };
    struct plait__buf error = { 0 };
    int rc = map_results_paths(&paths, &tree, &all, &error);
    struct stat st;

    if (rc < 0)
        test_fail(__FILE__, __LINE__, "map_results_paths: %d %s", rc, error.data);
    CHECK(strncmp(paths.out, dir, sizeof dir - 1) == 0);
    snprintf(ret, cap, "%s", paths.out + sizeof dir);
    paths.out[strlen(paths.out) - strlen("/stdout")] = '\0';
    CHECK(stat(paths.out, &st) == 0 && S_ISDIR(st.st_mode));
    CHECK(strcmp(strrchr(paths.seq, '/'), "/seq") == 0);
    CHECK(strcmp(strrchr(paths.err, '/'), "/stderr") == 0);
    map_results_paths_fini(&paths);
    plait__buf_fini(&error);
}

static void check_one(char *value, const char *want)
{
    char got[1024];

    get_out(got, sizeof got, &value, 1, NULL);
    CHECK_STR(got, want);
}

TEST(values_are_escaped_as_gnu_parallel_does)
{
    char slash[] = "b/c", tab[] = "t\tt", back[] = "b\\s", dots[] = "...", option[] = "-q";

    make_dir();
    check_one(slash, "1/b\\_c/stdout");
    check_one(tab, "1/t\\tt/stdout");
    check_one(back, "1/b\\\\s/stdout");
    check_one(dots, "1/.../stdout");
    check_one(option, "1/-q/stdout");
    remove_dir();
}

TEST(columns_are_numbered_and_made_at_once)
{
    char a[] = "a", empty[] = "", z[] = "z", got[1024];
    char *values[] = { a, empty, z };

    make_dir();
    get_out(got, sizeof got, values, 3, NULL);
    CHECK_STR(got, "1/a/2//3/z/stdout");
    get_out(got, sizeof got, values, 3, NULL);
    CHECK_STR(got, "1/a/2//3/z/stdout");
    remove_dir();
}

TEST(names_of_the_header_are_sorted_by_number_then_name)
{
    static const char *const words[] = { "foo", "bar" };
    static const char *const numbers[] = { "11b", "1a", "11a", "x", "1a" };
    char v[] = "vwxyz", got[1024];
    char one[] = "1", two[] = "2/3";
    char *values[] = { one, two };
    char *five[5];
    char letters[5][2];

    make_dir();
    get_out(got, sizeof got, values, 2, words);
    CHECK_STR(got, "bar/2\\_3/foo/1/stdout");
    for (size_t i = 0; i < 5; i++) {
        letters[i][0] = v[i];
        letters[i][1] = '\0';
        five[i] = letters[i];
    }
    get_out(got, sizeof got, five, 5, numbers);
    CHECK_STR(got, "x/y/1a/w/1a/z/11a/x/11b/v/stdout");
    remove_dir();
}

TEST(no_name_leads_out_of_the_folder) /* GNU parallel: lets it */
{
    static const char *const evil[] = { "../../etc" };
    static const char *const up[] = { ".." };
    char dot[] = ".", dots[] = "..", got[1024];
    char *value = dots;

    make_dir();
    check_one(dot, "1/\\./stdout");
    check_one(dots, "1/\\../stdout");
    get_out(got, sizeof got, &value, 1, evil);
    CHECK_STR(got, "..\\_..\\_etc/\\../stdout");
    get_out(got, sizeof got, &value, 1, up);
    CHECK_STR(got, "\\../\\../stdout");
    remove_dir();
}

TEST(long_values_are_cut_and_stay_apart) /* GNU parallel: puts them into one folder */
{
    static char one[400], two[400], got[1024], other[1024];

    make_dir();
    memset(one, 'x', sizeof one);
    memset(two, 'x', sizeof two);
    one[sizeof one - 1] = two[sizeof two - 1] = '\0';
    two[sizeof two - 2] = 'y';
    get_out(got, sizeof got, (char *[]){ one }, 1, NULL);
    get_out(other, sizeof other, (char *[]){ two }, 1, NULL);
    CHECK_INT(strlen(got), strlen("1/") + 255 + strlen("/stdout"));
    CHECK(strcmp(got, other) != 0);
    one[255] = '\0';
    get_out(got, sizeof got, (char *[]){ one }, 1, NULL);
    CHECK(strstr(got, "\\#") == NULL);
    memset(one, '/', 200);
    get_out(got, sizeof got, (char *[]){ one }, 1, NULL);
    CHECK(strstr(got, "_\\#") != NULL);
    remove_dir();
}

TEST(a_folder_that_cannot_be_made_is_named)
{
    struct map_results_paths paths = { 0 };
    struct plait__buf error = { 0 };
    char a[] = "a";
    char *value = a;
    struct map_values values = { .v = &value, .n = 1 };

    CHECK_INT(map_results_paths(&paths, &(struct map_results_tree){ .dir = "/dev/null/x" }, &values,
                                &error),
              -ENOTDIR);
    CHECK_STR(error.data, "cannot make the folder '/dev/null/x/1/a': Not a directory");
    CHECK(paths.seq == NULL);
    CHECK_INT(map_results_paths(&paths, &(struct map_results_tree){ .dir = "" }, &values, &error),
              -ENOENT);
    plait__buf_fini(&error);
}
