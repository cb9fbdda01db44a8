/* The strings of a request to run a command, and the environment that it gets.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__TASK_KEEPER_WORDS_H
#define PLAIT__TASK_KEEPER_WORDS_H

#include "task/keeper_wire.h"

#include <stddef.h>

/* Cuts the request's strings apart: argv, its NULL, then the additions to the environment. To be
 * freed; NULL when out of memory. */
char **plait__keeper_cut_words(char *bytes, const struct keeper_request *request,
                               const char **ret_file, const char **ret_cwd);

/* Our own variables, the additions, then this process's environment without what they replace
 * (shells disagree on which of two equal names counts). To be freed; NULL when out of memory. */
char **plait__keeper_make_environment(char *const *ours, size_t n_ours, char *const *additions,
                                      size_t n);

#endif
