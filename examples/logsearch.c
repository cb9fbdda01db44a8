/* Lines of many files in which a pattern is found, in the order of the files: ./logsearch PATTERN FILE…
 * SPDX-License-Identifier: MIT
 *
 * A result may be of any length: the function writes it piece by piece. A window of jobs runs ahead of
 * what is printed, so that memory does not grow with the number of files. Without arguments the
 * program writes some logs for itself.
 */
#include <plait.h>

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WINDOW = 16,
    SAMPLES = 100,
};

static const char *pattern = "ERROR .* disk"; /* workers see it as it was when they were forked */

/* `in` is the path of a file. */
static int search(plait_task *task, const void *in, size_t n)
{
    FILE *file = fopen(in, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    regex_t regex;
    int rc = 0;

    if (file == NULL)
        return plait_task_fail(task, plait_strerror(errno));
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return plait_task_fail(task, "not a pattern");
    while (rc == 0 && (len = getline(&line, &cap, file)) > 0) {
        if (regexec(&regex, line, 0, NULL, 0) != 0)
            continue;
        rc = plait_task_write(task, in, n - 1);
        if (rc == 0)
            rc = plait_task_write(task, ": ", 2);
        if (rc == 0)
            rc = plait_task_write(task, line, (size_t)len);
    }
    regfree(&regex);
    free(line);
    fclose(file);
    return rc;
}

/* Prints what a file had; 1 if it could not be searched. */
static int print_next(plait_future *future, const char *path)
{
    const void *bytes;
    ssize_t n;

    plait_future_wait(future, PLAIT_FOREVER);
    n = plait_future_bytes(future, &bytes);
    if (n >= 0)
        fwrite(bytes, 1, (size_t)n, stdout);
    else
        printf("%s: %s\n", path, plait_future_message(future));
    plait_future_unref(future);
    return n < 0;
}

static int search_all(char **paths, size_t n)
{
    plait_future *futures[WINDOW];
    plait_pool *pool = NULL;
    size_t submitted = 0, failed = 0;
    int rc = plait_pool_create(&pool, PLAIT_PROCESS, NULL);

    for (size_t printed = 0; printed < n && rc == 0; printed++) {
        while (rc == 0 && submitted < n && submitted < printed + WINDOW) {
            plait_job job = { .text_fn = search,
                              .in = paths[submitted],
                              .in_bytes = strlen(paths[submitted]) + 1 };
            rc = plait_pool_submit(pool, &futures[submitted % WINDOW], &job, PLAIT_FOREVER);
            submitted += rc == 0;
        }
        if (printed < submitted)
            failed += (size_t)print_next(futures[printed % WINDOW], paths[printed]);
    }
    plait_pool_destroy(pool);
    return rc < 0 ? rc : (int)failed;
}

static int make_samples(char **names)
{
    char folder[] = "/tmp/plait-logsearch.XXXXXX";

    if (mkdtemp(folder) == NULL || chdir(folder) < 0)
        return -errno;
    for (int i = 0; i < SAMPLES; i++) {
        FILE *file;
        char name[16];
        snprintf(name, sizeof name, "%02d.log", i);
        names[i] = strdup(name);
        file = fopen(name, "w");
        if (file == NULL || names[i] == NULL)
            return -errno;
        for (int line = 0; line < 500; line++)
            fprintf(file, "%s request %d of the %s\n",
                    (line + i * 31) % 499 == 0 ? "ERROR" : "INFO", line,
                    (line + i) % 9 == 0 ? "disk" : "net");
        fclose(file);
    }
    return unlink(names[42]) < 0 ? -errno : 0;
}

static void remove_samples(char **names)
{
    char folder[64];

    for (int i = 0; i < SAMPLES && names[i] != NULL; i++) {
        unlink(names[i]);
        free(names[i]);
    }
    if (getcwd(folder, sizeof folder) != NULL && strstr(folder, "/plait-logsearch.") != NULL)
        rmdir(folder);
}

int main(int argc, char **argv)
{
    char *names[SAMPLES] = { NULL };
    int rc = plait_init(&argc, &argv);

    if (rc == 0 && argc > 2) {
        pattern = argv[1];
        return search_all(argv + 2, (size_t)argc - 2) != 0;
    }
    if (rc == 0)
        rc = make_samples(names);
    if (rc == 0)
        rc = search_all(names, SAMPLES);
    remove_samples(names);
    if (rc < 0)
        fprintf(stderr, "%s\n", plait_strerror(rc));
    return rc != 1; /* the file that was gone */
}

/* prints:
 * 00.log: ERROR request 0 of the disk
 * 34.log: ERROR request 443 of the disk
 * 37.log: ERROR request 350 of the disk
 * 40.log: ERROR request 257 of the disk
 * 42.log: No such file or directory
 * 43.log: ERROR request 164 of the disk
 * 46.log: ERROR request 71 of the disk
 * 83.log: ERROR request 421 of the disk
 * 86.log: ERROR request 328 of the disk
 * 89.log: ERROR request 235 of the disk
 * 92.log: ERROR request 142 of the disk
 * 95.log: ERROR request 49 of the disk
 */
