/* Tests of how a command is executed and whether it is there.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/command.h"

#include "cmd/exit.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_snippet(const char *word, const char *second, enum map_how how)
{
    char *words[] = { strdup(word), second != NULL ? strdup(second) : NULL };
    struct map_options options = { .command = words,
                                   .n_command = second != NULL ? 2 : 1,
                                   .how = how };
    bool answer = map_command_is_snippet(&options);

    free(words[0]);
    free(words[1]);
    return answer;
}

TEST(one_word_with_blanks_or_shell_characters_is_a_snippet)
{
    CHECK(is_snippet("cat {} | wc", NULL, MAP_HOW_AUTO));
    CHECK(is_snippet("a;b", NULL, MAP_HOW_AUTO));
    CHECK(!is_snippet("true", NULL, MAP_HOW_AUTO));
    CHECK(!is_snippet("./{}", NULL, MAP_HOW_AUTO));
    CHECK(!is_snippet("cat {} | wc", "x", MAP_HOW_AUTO));
    CHECK(!is_snippet("cat {} | wc", NULL, MAP_HOW_EXEC));
    CHECK(is_snippet("true", "x", MAP_HOW_SHELL));
}

TEST(the_shell_is_the_option_then_the_variable_then_a_known_one)
{
    struct map_options options = { .shell = "/x/mine" };

    setenv("PLAIT_SHELL", "/y/theirs", 1);
    CHECK_STR(map_command_shell(&options), "/x/mine");
    options.shell = NULL;
    CHECK_STR(map_command_shell(&options), "/y/theirs");
    unsetenv("PLAIT_SHELL");
    setenv("SHELL", "/bin/bash", 1);
    CHECK_STR(map_command_shell(&options), "/bin/bash");
    setenv("SHELL", "/usr/bin/env", 1); /* not a shell that we know */
    CHECK_STR(map_command_shell(&options), "/bin/sh");
    setenv("SHELL", "bash", 1);
    CHECK_STR(map_command_shell(&options), "/bin/sh");
    unsetenv("SHELL");
    CHECK_STR(map_command_shell(&options), "/bin/sh");
}

/* The exit code, with the sentence in `error`. */
static int look_up(const char *program, struct plait__buf *error)
{
    plait__buf_clear(error);
    return map_command_look_up(program, error);
}

TEST(a_missing_program_is_127_and_the_cure_is_named)
{
    struct plait__buf error = { 0 };

    CHECK_INT(look_up("true", &error), 0);
    CHECK_INT(look_up("/bin/sh", &error), 0);
    CHECK_INT(look_up("plait-no-such-program", &error), CMD_EXIT_NOT_FOUND);
    CHECK_INT(look_up("", &error), CMD_EXIT_NOT_FOUND);
    CHECK_INT(look_up("echo hello", &error), CMD_EXIT_NOT_FOUND);
    CHECK(strstr(error.data, "as one word") != NULL);
    CHECK_INT(look_up("export", &error), CMD_EXIT_NOT_FOUND);
    CHECK(strstr(error.data, "shell builtin") != NULL);
    plait__buf_fini(&error);
}

TEST(what_is_there_but_cannot_be_executed_is_126)
{
    char path[] = "/tmp/plait-command-XXXXXX";
    struct plait__buf error = { 0 };
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    close(fd);
    CHECK_INT(look_up(path, &error), CMD_EXIT_NOT_EXECUTABLE);
    CHECK(strstr(error.data, "chmod") != NULL);
    CHECK_INT(look_up("/tmp/", &error), CMD_EXIT_NOT_EXECUTABLE);
    CHECK(strstr(error.data, "directory") != NULL);
    chmod(path, 0700);
    CHECK_INT(look_up(path, &error), 0);
    unlink(path);
    plait__buf_fini(&error);
}

TEST(the_first_that_can_be_executed_in_the_path_counts)
{
    char dir[] = "/tmp/plait-path-XXXXXX", file[64], path[128];
    struct plait__buf error = { 0 };
    FILE *stream;

    CHECK(mkdtemp(dir) != NULL);
    snprintf(file, sizeof file, "%s/true", dir);
    stream = fopen(file, "w");
    CHECK(stream != NULL);
    fclose(stream);
    setenv("PATH", dir, 1);
    CHECK_INT(look_up("true", &error), CMD_EXIT_NOT_EXECUTABLE);
    snprintf(path, sizeof path, "%s:/bin:/usr/bin", dir);
    setenv("PATH", path, 1);
    CHECK_INT(look_up("true", &error), 0);
    unlink(file);
    rmdir(dir);
    plait__buf_fini(&error);
}
