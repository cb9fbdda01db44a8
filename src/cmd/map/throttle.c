/* What holds back the start of the next job.
 * SPDX-License-Identifier: MIT
 *
 * Load and free memory are read at most once a second while the machine is too busy, and at most
 * ten times a second while it is not: the one-minute load answers slowly, so a start of many jobs
 * between two looks is not seen in time.
 */
#include "cmd/map/throttle.h"
#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TENTH_NS (PLAIT__SECOND_NS / 10)

void map_throttle_init(struct map_throttle *throttle, const struct map_options *options)
{
    int64_t spacing =
        options->rate_per_s > 0 ? (int64_t)(PLAIT__SECOND_NS / options->rate_per_s) + 1 : 0;

    *throttle = (struct map_throttle){ .load = options->load,
                                       .memfree = options->memfree,
                                       .proc = "/proc" };
    throttle->spacing_ns = spacing > options->delay_ns ? spacing : options->delay_ns;
}

static FILE *open_proc(const struct map_throttle *throttle, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", throttle->proc, name);
    return fopen(path, "re");
}

/* Cannot be read: holds nothing back. */
static bool is_load_too_high(const struct map_throttle *throttle)
{
    FILE *file = throttle->load > 0 ? open_proc(throttle, "loadavg") : NULL;
    double load = 0;
    bool is_read;

    if (file == NULL)
        return false;
    is_read = fscanf(file, "%lf", &load) == 1;
    fclose(file);
    return is_read && load >= throttle->load;
}

static bool is_memory_too_low(const struct map_throttle *throttle)
{
    FILE *file = throttle->memfree > 0 ? open_proc(throttle, "meminfo") : NULL;
    char line[256];
    bool is_low = false;

    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "MemAvailable:", 13) == 0)
            is_low = strtoull(line + 13, NULL, 10) * 1024 < throttle->memfree;
    fclose(file);
    return is_low;
}

int64_t map_throttle_when(struct map_throttle *throttle, int64_t now_ns)
{
    if (now_ns < throttle->next_ns)
        return throttle->next_ns;
    if (throttle->load <= 0 && throttle->memfree == 0)
        return now_ns;
    if (now_ns >= throttle->look_ns) {
        throttle->is_busy = is_load_too_high(throttle) || is_memory_too_low(throttle);
        throttle->look_ns = now_ns + (throttle->is_busy ? PLAIT__SECOND_NS : TENTH_NS);
    }
    return throttle->is_busy ? throttle->look_ns : now_ns;
}

bool map_throttle_is_idle(const struct map_throttle *throttle)
{
    return throttle->spacing_ns == 0 && throttle->load <= 0 && throttle->memfree == 0;
}

void map_throttle_started(struct map_throttle *throttle, int64_t now_ns)
{
    throttle->next_ns = now_ns + throttle->spacing_ns;
}
