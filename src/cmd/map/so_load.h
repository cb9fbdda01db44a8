/* --so LIBRARY:FUNCTION: the function of a shared object, found before the first job.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_SO_LOAD_H
#define PLAIT__CMD_MAP_SO_LOAD_H

#include "base/buf.h"

/* Loads the library and looks the function up. `spec` is as it was given; a library without a slash
 * in its name is one of the current folder. 0, and the function in *ret; else the exit code (2, 126,
 * 127, 125) with a sentence in `error` that names the cure. What was loaded stays: functions of it
 * may run until the process ends. */
int map_so_load(void **ret, const char *spec, struct plait__buf *error);

#endif
