/* When --halt ends the run.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/halt.h"

enum {
    FAILURES_FOR_PERCENT = 3
};

static uint64_t count_of(enum map_halt_what what, const struct map_counts *counts)
{
    switch (what) {
    case MAP_HALT_FAIL:
        return counts->failed;
    case MAP_HALT_SUCCESS:
        return counts->succeeded;
    case MAP_HALT_DONE:
        break;
    }
    return counts->failed + counts->succeeded;
}

bool map_halt_is_reached(const struct map_options *options, const struct map_counts *counts)
{
    uint64_t count = count_of(options->halt_what, counts);

    if (options->halt_when == MAP_HALT_NEVER || count == 0)
        return false;
    if (!options->halt_is_percent)
        return count >= options->halt_number;
    if (counts->total < 0 || (options->halt_what == MAP_HALT_FAIL && count < FAILURES_FOR_PERCENT))
        return false;
    return (double)count * 100 >= (double)options->halt_number * (double)counts->total;
}
