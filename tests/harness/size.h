/* How large a process is, for tests that nothing grows.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_TESTS_SIZE_H
#define PLAIT_TESTS_SIZE_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

/* Its descriptors ("fd") or threads ("task"); of ourselves one descriptor more, which does it. */
static inline size_t count_entries(pid_t pid, const char *folder)
{
    char path[64];
    size_t n = 0;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, folder);
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

/* How many processes it has below it, those included that nobody has reaped; of a single thread. */
static inline size_t count_children(pid_t pid)
{
    char path[80], line[4096] = "";
    size_t n = 0;

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0; /* a kernel without it */
    if (fgets(line, sizeof line, file) == NULL)
        line[0] = '\0';
    fclose(file);
    for (const char *at = line; (at = strchr(at, ' ')) != NULL; at++)
        n++;
    return n;
}

static inline long resident_kib(pid_t pid)
{
    long pages = 0;
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    CHECK_INT(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

#endif
