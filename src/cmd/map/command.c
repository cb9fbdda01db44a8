/* How the command of `plait map` is to be executed, and whether it is there.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/command.h"
#include "cmd/exit.h"
#include "cmd/map/quote.h"
#include "cmd/map/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const known_shells[] = { "sh", "dash", "bash", "ksh", "zsh" };

/* Builtins that people try to run as programs; those that exist as programs too are found before.
 */
static const char *const builtins[] = { ".",     "alias", "bg",     "cd",   "declare", "eval",
                                        "exec",  "exit",  "export", "fg",   "jobs",    "let",
                                        "local", "popd",  "pushd",  "read", "return",  "set",
                                        "shift", "shopt", "source", "trap", "type",    "ulimit",
                                        "umask", "unset", "wait",   "if",   "for",     "while",
                                        "case" };

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

const char *map_command_shell(const struct map_options *options)
{
    const char *shell = options->shell != NULL ? options->shell : getenv("PLAIT_SHELL");
    const char *name;

    if (shell != NULL && shell[0] != '\0')
        return shell;
    shell = getenv("SHELL");
    if (shell == NULL || shell[0] != '/' || access(shell, X_OK) < 0)
        return "/bin/sh";
    name = strrchr(shell, '/') + 1;
    return is_one_of(name, known_shells, sizeof known_shells / sizeof *known_shells) ? shell
                                                                                     : "/bin/sh";
}

bool map_command_is_snippet(const struct map_options *options)
{
    if (options->so != NULL)
        return false;
    if (options->n_command == 0 || options->how == MAP_HOW_SHELL)
        return true;
    if (options->how == MAP_HOW_EXEC || options->quote || options->n_command > 1)
        return false;
    return map_is_snippet(options->command[0], options->replace);
}

/* Signs of the shell's and plain words as they are, the others quoted. */
int map_command_add_as_snippet(struct plait__buf *buf, const struct map_options *options)
{
    struct plait__buf snippet = { 0 };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < options->n_command; i++) {
        char *word = options->command[i];
        bool is_bare = map_template_suspicious(&word, 1) != NULL ||
                       (word[0] != '\0' && !map_is_snippet(word, options->replace));
        if (i > 0)
            rc = plait__buf_add_char(&snippet, ' ');
        if (rc == 0)
            rc = is_bare ? plait__buf_add_str(&snippet, word) : map_quote_line(&snippet, word);
    }
    if (rc == 0)
        rc = map_quote_line(buf, snippet.data);
    plait__buf_fini(&snippet);
    return rc;
}

/* 0, 126 or 127 for one path. */
static int check_path(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return errno == EACCES ? CMD_EXIT_NOT_EXECUTABLE : CMD_EXIT_NOT_FOUND;
    return S_ISREG(status.st_mode) && access(path, X_OK) == 0 ? 0 : CMD_EXIT_NOT_EXECUTABLE;
}

/* The first that can be executed counts, as for execvp; else the first that is there at all. */
static int search_path(const char *program)
{
    const char *path = getenv("PATH");
    struct plait__buf file = { 0 };
    int best = CMD_EXIT_NOT_FOUND;

    path = path != NULL ? path : "/bin:/usr/bin";
    for (;;) {
        size_t n = strcspn(path, ":");
        plait__buf_clear(&file);
        if (plait__buf_printf(&file, "%.*s%s%s", (int)n, path, n > 0 ? "/" : "", program) < 0) {
            best = 0; /* out of memory: the start will tell */
            break;
        }
        int rc = check_path(file.data);
        if (rc == 0 || best == CMD_EXIT_NOT_FOUND)
            best = rc;
        if (best == 0 || path[n] == '\0')
            break;
        path += n + 1;
    }
    plait__buf_fini(&file);
    return best;
}

int map_command_look_up(const char *program, struct plait__buf *error)
{
    bool is_path = strchr(program, '/') != NULL;
    int rc = program[0] == '\0' ? CMD_EXIT_NOT_FOUND
             : is_path          ? check_path(program)
                                : search_path(program);
    const char *cure = "";
    struct stat status;

    if (rc == 0)
        return 0;
    if (strpbrk(program, " \t\n") != NULL)
        cure = "; it contains blanks: to run a shell snippet, write the whole command as one word";
    else if (is_one_of(program, builtins, sizeof builtins / sizeof *builtins))
        cure = "; it is a shell builtin: write the command as one word, plait map 'cd {} && …'";
    else if (rc == CMD_EXIT_NOT_EXECUTABLE && is_path && stat(program, &status) == 0 &&
             S_ISDIR(status.st_mode))
        cure = "; it is a directory";
    else if (rc == CMD_EXIT_NOT_EXECUTABLE)
        cure = "; it may not be executed (chmod +x?)";
    if (rc == CMD_EXIT_NOT_FOUND)
        plait__buf_printf(error, "'%s': command not found%s", program, cure);
    else
        plait__buf_printf(error, "'%s': cannot be executed%s", program, cure);
    return rc;
}
