/* Fuzzing of what reads a job log: any file may be named to --joblog.
 * SPDX-License-Identifier: MIT
 *
 * The file is opened in each resume mode; what was not refused must be refused by nobody later, and must end in a whole
 * line.
 */
#include "cmd/map/joblog.h"
#include "os/fd.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void expect(bool fine)
{
    if (!fine)
        abort();
}

static void use(struct map_joblog *log, enum map_resume resume)
{
    struct map_result result = { .seq = 1, .line = "true" };
    const char *line;
    uint64_t seq, before = 0;
    bool changed;

    for (uint64_t at = 0; at < 4; at++)
        map_joblog_wants(log, at, "true", &changed);
    if (resume == MAP_RETRY_FAILED)
        for (int i = 0; map_joblog_next_failed(log, &seq, &line) == 1; i++, before = seq)
            expect(i == 0 || seq > before);
    expect(map_joblog_write(log, &result) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const enum map_resume modes[] = { MAP_RESUME, MAP_RESUME_FAILED, MAP_RETRY_FAILED };
    struct plait__buf error = { 0 };
    int fd = plait__os_memfd("joblog");
    bool refused = false;
    char path[64];

    expect(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct map_joblog *log = NULL;
        int rc = map_joblog_open(&log, path, modes[i], &error);
        char last = '\0';

        expect(i == 0 || refused == (rc < 0));
        refused = rc < 0;
        if (refused)
            continue;
        use(log, modes[i]);
        map_joblog_close(log);
        expect(pread(fd, &last, 1, lseek(fd, 0, SEEK_END) - 1) == 1 && last == '\n');
    }
    plait__buf_fini(&error);
    close(fd);
    return 0;
}
