/* The heart of the demonstration: one C function over thousands of files, as a loop, in a pool of threads
 * and in a pool of processes; then over three more that no program survives.
 * SPDX-License-Identifier: MIT
 *
 *     parse LIST POISON…     the paths in LIST, a line each; then LIST with the poisonous files among them
 */
#include <plait.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    BYTES_MOST = 150 * 1000 * 1000, /* of all files, so that a large machine is done soon, too */
    POISON_LIMIT_MS = 3000,
    MEGABYTE = 1024 * 1024,
    MEMORY_MOST = 64 * MEGABYTE, /* of a worker, beyond what it begins with */
};

struct totals {
    int64_t files, bytes, lines, words, identifiers;
    uint64_t digest;
};

/* Workers see both as they were when they were forked. */
static char **paths;
static size_t n_paths;
static bool failed;

/* ---- what is done with a file ---- */

/* What breaks programs: a null pointer, a loop without end, a hunger for memory. */
static int obey(const char *text)
{
    volatile char *nowhere = NULL;

    if (strncmp(text, "crash", 5) == 0)
        *nowhere = 1;
    while (strncmp(text, "hang", 4) == 0)
        __asm__ volatile("" ::: "memory");
    while (strncmp(text, "eat", 3) == 0) {
        char *food = malloc(MEGABYTE);
        if (food == NULL)
            return -ENOMEM;
        memset(food, 1, MEGABYTE);
        __asm__ volatile("" : : "r"(food) : "memory");
    }
    return 0;
}

static void parse_text(const char *text, size_t n, struct totals *ret)
{
    bool is_word = false, is_name = false;

    *ret = (struct totals){ .files = 1, .bytes = (int64_t)n };
    ret->digest = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_letter = isalpha(c) || c == '_';
        ret->lines += c == '\n';
        ret->words += !isspace(c) && !is_word;
        is_word = !isspace(c);
        ret->identifiers += is_letter && !is_name;
        is_name = is_letter || (is_name && isdigit(c));
        ret->digest = (ret->digest ^ c) * UINT64_C(0x100000001b3);
    }
}

/* The whole file; a file that cannot be read is an error of its own. */
static char *read_file(const char *path, size_t *ret_n)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    char *text = NULL;
    ssize_t n = -1;

    if (fd >= 0 && fstat(fd, &status) == 0 && (text = malloc((size_t)status.st_size + 1)) != NULL)
        n = read(fd, text, (size_t)status.st_size);
    if (fd >= 0)
        close(fd);
    if (n < 0) {
        free(text);
        return NULL;
    }
    text[n] = '\0';
    *ret_n = (size_t)n;
    return text;
}

static int parse(const void *in, void *out, void *ctx)
{
    size_t n;
    char *text = read_file(paths[*(const size_t *)in], &n);
    int rc = 0;

    (void)ctx;
    if (text == NULL)
        return -EIO;
    if (strncmp(text, "plait-demo ", 11) == 0)
        rc = obey(text + 11);
    parse_text(text, n, out);
    free(text);
    return rc;
}

/* ---- three times the same ---- */

static void check(const char *what, bool holds)
{
    printf("  %s  %s\n", holds ? "ok    " : "FAILED", what);
    failed = failed || !holds;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct totals add_up(const struct totals *each, const plait_result *results, size_t n)
{
    struct totals sum = { 0 };

    for (size_t i = 0; i < n; i++) {
        if (results[i].end != PLAIT_JOB_VALUE)
            continue;
        sum.files += each[i].files;
        sum.bytes += each[i].bytes;
        sum.lines += each[i].lines;
        sum.words += each[i].words;
        sum.identifiers += each[i].identifiers;
        sum.digest = (sum.digest ^ each[i].digest) * UINT64_C(0x100000001b3);
    }
    return sum;
}

static int limit_memory(void *unused)
{
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    struct rlimit limit;

    (void)unused;
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        pages = 0;
    if (file != NULL)
        fclose(file);
    limit.rlim_cur = limit.rlim_max = pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_MOST;
    return pages == 0 || setrlimit(RLIMIT_AS, &limit) < 0 ? -EPERM : 0;
}

struct run {
    plait_kind kind; /* 0: a loop */
    struct totals *each;
    plait_result *results;
    double seconds;
};

/* How many did not end in a value; negative: no run. */
static int run_all(struct run *run, const size_t *indices, size_t n, bool is_poisoned)
{
    plait_map_opts opts = { .results = run->results, .hard_ms = is_poisoned ? POISON_LIMIT_MS : 0 };
    plait_pool_opts pool_opts = { .init = is_poisoned ? limit_memory : NULL };
    plait_pool *pool = NULL;
    double start = seconds();
    int rc = 0;

    if (run->kind == 0) {
        for (size_t i = 0; i < n; i++) {
            bool is_good = parse(&indices[i], &run->each[i], NULL) >= 0;
            run->results[i].end = is_good ? PLAIT_JOB_VALUE : PLAIT_JOB_ERROR;
            rc += !is_good;
        }
    } else {
        rc = plait_pool_create(&pool, run->kind, &pool_opts);
        if (rc == 0)
            rc = plait_pool_map(pool, parse, plait_items_of(indices, sizeof *indices, n),
                                plait_items_of(run->each, sizeof *run->each, n), &opts,
                                PLAIT_FOREVER);
        plait_pool_destroy(pool);
    }
    run->seconds = seconds() - start;
    return rc;
}

static void show(const char *how, const struct run *run, const struct totals *sum, double serial)
{
    printf("  %-16s %6.2f s  %6.0f files/s  %6.1f MB/s", how, run->seconds,
           (double)sum->files / run->seconds, (double)sum->bytes / run->seconds / 1e6);
    if (serial > 0)
        printf("  %.2f x", serial / run->seconds);
    printf("\n");
}

static struct totals run_and_show(const char *how, struct run *run, const size_t *indices,
                                  double serial)
{
    struct totals sum = { 0 };
    int rc = run_all(run, indices, n_paths, false);

    if (rc < 0) {
        printf("  %s: %s\n", how, plait_strerror(rc));
        failed = true;
        return sum;
    }
    sum = add_up(run->each, run->results, n_paths);
    show(how, run, &sum, serial);
    return sum;
}

/* Processes first: with threads in the program nobody can be forked any more. */
static struct totals compare(struct run *run, const size_t *indices)
{
    struct totals loop, processes, threads;
    double serial;

    run->kind = 0;
    run_all(run, indices, n_paths, false); /* the files come into memory: not measured */
    loop = run_and_show("a loop", run, indices, 0);
    serial = run->seconds;
    run->kind = PLAIT_PROCESS;
    processes = run_and_show("processes", run, indices, serial);
    run->kind = PLAIT_THREAD;
    threads = run_and_show("threads", run, indices, serial);
    printf("  %lld files: %lld lines, %lld words, %lld identifiers, digest %016llx\n",
           (long long)loop.files, (long long)loop.lines, (long long)loop.words,
           (long long)loop.identifiers, (unsigned long long)loop.digest);
    check("processes found what the loop found", memcmp(&loop, &processes, sizeof loop) == 0);
    check("threads found it, too", memcmp(&loop, &threads, sizeof loop) == 0);
    return loop;
}

/* ---- poison ---- */

static void name_end(const char *path, const plait_result *result)
{
    printf("  %s: ", path);
    if (result->end == PLAIT_JOB_LOST)
        printf("its process %d was killed by signal %d\n", (int)result->pid, result->signal);
    else if (result->end == PLAIT_JOB_EXPIRED)
        printf("still running after %.1f s, ended\n", (double)result->run_ns / 1e9);
    else
        printf("%s\n", plait_strerror(result->code));
}

static void poison(struct run *run, const size_t *indices, size_t n_poison,
                   const struct totals *wanted)
{
    size_t n = n_paths + n_poison;
    bool is_as_meant = false;
    struct totals rest;
    int rc;

    run->kind = PLAIT_PROCESS;
    rc = run_all(run, indices, n, true);
    if (rc < 0)
        printf("  no run: %s\n", plait_strerror(rc));
    for (size_t i = 0; i < n && rc >= 0; i++)
        if (indices[i] >= n_paths)
            name_end(paths[indices[i]], &run->results[i]);
    rest = add_up(run->each, run->results, n);
    printf("  %lld of %zu files parsed in %.2f s\n", (long long)rest.files, n, run->seconds);
    if (rc == (int)n_poison && n_poison == 3)
        is_as_meant = run->results[n / 4].end == PLAIT_JOB_LOST &&
                      run->results[n / 2].end == PLAIT_JOB_EXPIRED &&
                      run->results[n - n / 4].end == PLAIT_JOB_ERROR;
    check("one crashed, one was ended, one got no memory", is_as_meant);
    check("all others came through, with the same totals", memcmp(&rest, wanted, sizeof rest) == 0);
}

/* The poisonous ones at a quarter, half and three quarters of the way. */
static void mix(size_t *indices, size_t n_poison)
{
    size_t n = n_paths + n_poison, good = 0, bad = n_paths;

    for (size_t i = 0; i < n; i++) {
        bool is_bad = n_poison == 3 && (i == n / 4 || i == n / 2 || i == n - n / 4);
        indices[i] = is_bad ? bad++ : good++;
    }
}

/* ---- the list ---- */

/* Takes paths until there are bytes enough. */
static int read_list(const char *list, size_t room)
{
    FILE *file = fopen(list, "r");
    struct stat status;
    char line[4096];
    int64_t bytes = 0;
    size_t cap = 1024;

    paths = malloc((cap + room) * sizeof *paths);
    while (file != NULL && paths != NULL && bytes < BYTES_MOST && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (stat(line, &status) < 0 || !S_ISREG(status.st_mode) || access(line, R_OK) < 0)
            continue;
        bytes += status.st_size;
        if (n_paths == cap)
            paths = realloc(paths, ((cap *= 2) + room) * sizeof *paths);
        if (paths == NULL || (paths[n_paths] = strdup(line)) == NULL)
            return -ENOMEM;
        n_paths++;
    }
    if (file == NULL || paths == NULL)
        return -ENOENT;
    fclose(file);
    return n_paths > 0 ? 0 : -ENOENT;
}

int main(int argc, char **argv)
{
    size_t n_poison = argc > 2 ? (size_t)argc - 2 : 0, n;
    struct totals totals;
    struct run run = { 0 };
    size_t *indices;

    if (plait_init(&argc, &argv) < 0 || argc < 2 || read_list(argv[1], n_poison) < 0)
        return 1;
    n = n_paths + n_poison;
    for (size_t i = 0; i < n_poison; i++)
        paths[n_paths + i] = argv[2 + i];
    run.each = calloc(n, sizeof *run.each);
    run.results = calloc(n, sizeof *run.results);
    indices = calloc(n, sizeof *indices);
    if (run.each == NULL || run.results == NULL || indices == NULL || plait_keeper_start() < 0)
        return 1;
    for (size_t i = 0; i < n; i++)
        indices[i] = i;
    totals = compare(&run, indices);
    printf("\n  once more in processes, with %zu poisonous files in between\n", n_poison);
    mix(indices, n_poison);
    poison(&run, indices, n_poison, &totals);
    return failed;
}
