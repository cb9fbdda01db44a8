/* Finding out about the machine.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/facts.h"

#include "cmd/units.h"
#include "cmd/version.h"
#include "os/cgroup.h"
#include "os/cpu.h"
#include "os/probe.h"
#include "os/readfile.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
    TEXT_BYTES = 200,
    MEMINFO_LIMIT = 64 << 10,
    PID_MAX_DIGITS = 32,
    FDS_PER_JOB = 2, /* the ends of its standard output and error */
    FDS_KEPT = 16,   /* input, logs, the keeper and the standard three */
};

/* Who is told. After the first error nobody is, so that the tellers need no check on each line. */
struct teller {
    cmd_fact_fn fn;
    void *ctx;
    const char *group;
    int rc;
};

static void tell(struct teller *teller, struct cmd_fact fact)
{
    fact.group = teller->group;
    if (teller->rc == 0)
        teller->rc = teller->fn(&fact, teller->ctx);
}

static void tell_text(struct teller *teller, const char *key, const char *label, const char *text)
{
    tell(teller,
         (struct cmd_fact){ .key = key, .label = label, .kind = CMD_FACT_TEXT, .text = text });
}

static void tell_plait(struct teller *teller, const char *json)
{
    teller->group = "plait";
    tell_text(teller, "version", "version", CMD_VERSION);
    tell_text(teller, "json", "JSON output", json != NULL ? json : "left out of this build");
}

static void tell_system(struct teller *teller)
{
    char kernel[TEXT_BYTES], libc[TEXT_BYTES];
    bool has_proc = access("/proc/self/mountinfo", R_OK) == 0;
    struct utsname system;
    size_t n = confstr(_CS_GNU_LIBC_VERSION, libc, sizeof(libc));

    teller->group = "system";
    if (uname(&system) == 0) {
        snprintf(kernel, sizeof(kernel), "%.64s %.128s", system.sysname, system.release);
        tell_text(teller, "kernel", "kernel", kernel);
        tell_text(teller, "machine", "machine", system.machine);
    }
    tell_text(teller, "libc", "C library", n > 0 ? libc : "not glibc");
    tell(teller,
         (struct cmd_fact){
             .key = "proc",
             .label = "/proc",
             .kind = CMD_FACT_TEXT,
             .text = has_proc ? "mounted" : "not mounted",
             .remark = has_proc ? NULL : "descendants of a job cannot be found, nor limits" });
}

static uint64_t number_of(long n)
{
    return n > 0 ? (uint64_t)n : CMD_FACT_NONE;
}

static void tell_cpus(struct teller *teller)
{
    teller->group = "cpus";
    tell(teller, (struct cmd_fact){ .key = "online",
                                    .label = "online",
                                    .kind = CMD_FACT_COUNT,
                                    .number = number_of(sysconf(_SC_NPROCESSORS_ONLN)),
                                    .none = "unknown" });
    tell(teller, (struct cmd_fact){ .key = "affinity",
                                    .label = "affinity",
                                    .kind = CMD_FACT_COUNT,
                                    .number = number_of(plait__os_cpu_affinity()),
                                    .none = "unknown" });
    tell(teller, (struct cmd_fact){ .key = "cgroup_quota",
                                    .label = "cgroup quota",
                                    .kind = CMD_FACT_COUNT,
                                    .number = number_of(plait__os_cpu_quota("")),
                                    .none = "none" });
    tell(teller, (struct cmd_fact){ .key = "used",
                                    .label = "used",
                                    .kind = CMD_FACT_COUNT,
                                    .number = number_of(plait__os_cpu_count()),
                                    .remark = "jobs at once, unless -j says otherwise" });
}

/* "MemTotal:        4040136 kB" in the text of /proc/meminfo. */
static uint64_t find_meminfo(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = text; *line != '\0';) {
        const char *end = strchrnul(line, '\n');
        char digits[PID_MAX_DIGITS] = "";
        uint64_t kib;

        if (strncmp(line, name, len) == 0) {
            line += len + strspn(line + len, " ");
            snprintf(digits, sizeof(digits), "%.*s", (int)strspn(line, "0123456789"), line);
            return cmd_parse_u64(digits, &kib) == 0 && kib < UINT64_MAX / 1024 ? kib * 1024
                                                                               : CMD_FACT_NONE;
        }
        line = *end == '\n' ? end + 1 : end;
    }
    return CMD_FACT_NONE;
}

static void tell_memory(struct teller *teller)
{
    struct plait__buf text = { 0 };
    bool is_read = plait__os_read_file(&text, "/proc/meminfo", MEMINFO_LIMIT) == 0 && text.len > 0;
    uint64_t limit = plait__os_cgroup_limit("", "memory", "memory.limit_in_bytes", "memory.max");

    teller->group = "memory";
    tell(teller, (struct cmd_fact){ .key = "total_bytes",
                                    .label = "total",
                                    .kind = CMD_FACT_BYTES,
                                    .number = is_read ? find_meminfo(text.data, "MemTotal:")
                                                      : CMD_FACT_NONE,
                                    .none = "unknown" });
    tell(teller, (struct cmd_fact){ .key = "available_bytes",
                                    .label = "available",
                                    .kind = CMD_FACT_BYTES,
                                    .number = is_read ? find_meminfo(text.data, "MemAvailable:")
                                                      : CMD_FACT_NONE,
                                    .none = "unknown" });
    /* v1 says "no limit" as the largest number of whole pages */
    tell(teller, (struct cmd_fact){ .key = "cgroup_limit_bytes",
                                    .label = "cgroup limit",
                                    .kind = CMD_FACT_BYTES,
                                    .number = limit < INT64_MAX / 2 ? limit : CMD_FACT_NONE,
                                    .none = "none" });
    plait__buf_fini(&text);
}

static uint64_t read_pid_max(void)
{
    uint64_t pids;

    return plait__os_read_numbers("/proc/sys/kernel", "pid_max", &pids, 1) == 1 ? pids
                                                                                : CMD_FACT_NONE;
}

static uint64_t number_of_limit(rlim_t limit)
{
    return limit == RLIM_INFINITY ? CMD_FACT_NONE : limit;
}

static void tell_fds(struct teller *teller)
{
    struct rlimit fds = { RLIM_INFINITY, RLIM_INFINITY };
    uint64_t soft, jobs;
    char remark[TEXT_BYTES];

    getrlimit(RLIMIT_NOFILE, &fds);
    soft = number_of_limit(fds.rlim_cur);
    jobs = soft == CMD_FACT_NONE            ? CMD_FACT_NONE
           : soft <= FDS_KEPT + FDS_PER_JOB ? 1
                                            : (soft - FDS_KEPT) / FDS_PER_JOB;
    snprintf(remark, sizeof(remark), "%d open files each, %d kept for plait", FDS_PER_JOB,
             FDS_KEPT);
    tell(teller, (struct cmd_fact){ .key = "open_files",
                                    .label = "open files",
                                    .kind = CMD_FACT_COUNT,
                                    .number = soft,
                                    .none = "unlimited",
                                    .remark = "ulimit -n" });
    tell(teller, (struct cmd_fact){ .key = "open_files_hard",
                                    .label = "  at most",
                                    .kind = CMD_FACT_COUNT,
                                    .number = number_of_limit(fds.rlim_max),
                                    .none = "unlimited" });
    tell(teller, (struct cmd_fact){ .key = "jobs_within_open_files",
                                    .label = "jobs that fit",
                                    .kind = CMD_FACT_COUNT,
                                    .number = jobs,
                                    .none = "unlimited",
                                    .remark = remark });
}

static void tell_limits(struct teller *teller)
{
    struct rlimit processes = { RLIM_INFINITY, RLIM_INFINITY };

    teller->group = "limits";
    tell_fds(teller);
    getrlimit(RLIMIT_NPROC, &processes);
    tell(teller, (struct cmd_fact){ .key = "processes",
                                    .label = "processes",
                                    .kind = CMD_FACT_COUNT,
                                    .number = number_of_limit(processes.rlim_cur),
                                    .none = "unlimited",
                                    .remark = geteuid() == 0 ? "ulimit -u; does not bind root"
                                                             : "ulimit -u" });
    tell(teller,
         (struct cmd_fact){ .key = "cgroup_processes",
                            .label = "cgroup processes",
                            .kind = CMD_FACT_COUNT,
                            .number = plait__os_cgroup_limit("", "pids", "pids.max", "pids.max"),
                            .none = "none" });
    tell(teller, (struct cmd_fact){ .key = "pid_max",
                                    .label = "process ids",
                                    .kind = CMD_FACT_COUNT,
                                    .number = read_pid_max(),
                                    .none = "unknown" });
}

static void tell_features(struct teller *teller)
{
    teller->group = "kernel features";
    for (int id = 0; id < PLAIT__PROBE_COUNT; id++) {
        const struct plait__probe *probe = plait__probe_at((enum plait__probe_id)id);
        bool has = plait__probe_has((enum plait__probe_id)id);
        bool is_disabled = plait__probe_is_disabled((enum plait__probe_id)id);
        char remark[TEXT_BYTES];

        snprintf(remark, sizeof(remark), "%s%s", is_disabled ? "by PLAIT_DISABLE" : "since Linux ",
                 is_disabled ? "" : probe->since);
        tell(teller, (struct cmd_fact){ .key = probe->name,
                                        .label = probe->name,
                                        .kind = CMD_FACT_TEXT,
                                        .text = has           ? "on"
                                                : is_disabled ? "disabled"
                                                              : "off",
                                        .remark = remark,
                                        .note = probe->what });
    }
}

int cmd_facts_tell(const char *json, cmd_fact_fn fn, void *ctx)
{
    struct teller teller = { .fn = fn, .ctx = ctx };

    tell_plait(&teller, json);
    tell_system(&teller);
    tell_cpus(&teller);
    tell_memory(&teller);
    tell_limits(&teller);
    tell_features(&teller);
    return teller.rc;
}
