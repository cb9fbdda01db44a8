/* The strings of a request to run a command, and the environment that it gets.
 * SPDX-License-Identifier: MIT
 */
#include "task/keeper_words.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char **plait__keeper_cut_words(char *bytes, const struct keeper_request *request,
                               const char **ret_file, const char **ret_cwd)
{
    size_t n = (size_t)request->n_argv + request->n_env;
    char **strings = calloc(n + 2, sizeof *strings); /* argv, its NULL, additions */
    char *at = bytes, *end = bytes + request->n_bytes;

    if (strings == NULL)
        return NULL;
    *ret_file = at;
    at += strlen(at) + 1;
    *ret_cwd = request->has_cwd ? at : NULL;
    if (request->has_cwd)
        at += strlen(at) + 1;
    for (size_t i = 0; i < n && at < end; i++) {
        strings[i < request->n_argv ? i : i + 1] = at;
        at += strlen(at) + 1;
    }
    return strings;
}

static size_t count_environment(void)
{
    size_t n = 0;

    while (environ != NULL && environ[n] != NULL)
        n++;
    return n;
}

/* Is the variable ("NAME=value") one of these? */
static bool is_among(const char *variable, char *const *set, size_t n)
{
    size_t len = strcspn(variable, "=") + 1;

    for (size_t i = 0; i < n; i++)
        if (strncmp(variable, set[i], len) == 0)
            return true;
    return false;
}

char **plait__keeper_make_environment(char *const *ours, size_t n_ours, char *const *additions,
                                      size_t n)
{
    char **all = calloc(n_ours + n + count_environment() + 1, sizeof *all);
    size_t n_all = n_ours + n;

    if (all == NULL)
        return NULL;
    memcpy(all, ours, n_ours * sizeof *all);
    memcpy(all + n_ours, additions, n * sizeof *all);
    for (size_t i = 0; environ != NULL && environ[i] != NULL; i++)
        if (!is_among(environ[i], all, n_ours + n))
            all[n_all++] = environ[i];
    return all;
}
