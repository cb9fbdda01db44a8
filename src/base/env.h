/* Lists in the environment.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__BASE_ENV_H
#define PLAIT__BASE_ENV_H

#include <stdbool.h>

/* Is the name an element of the comma-separated list that this environment variable holds? */
bool plait__env_lists(const char *variable, const char *name);

#endif
