/* Lines, words and bytes of many files, as wc has them: ./wordcount FILE…
 * SPDX-License-Identifier: MIT
 *
 * Without arguments it writes some files for itself, one of which is not there any more when its turn
 * comes.
 */
#include <plait.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SAMPLES = 60,
};

static char **paths; /* workers see it as it was when they were forked */

struct counts {
    long lines, words, bytes;
};

static int count_file(const void *in, void *out, void *ctx)
{
    struct counts *counts = out;
    FILE *file = fopen(paths[*(const size_t *)in], "r");
    int c, before = ' ';

    (void)ctx;
    if (file == NULL)
        return -errno;
    *counts = (struct counts){ 0 };
    while ((c = getc(file)) != EOF) {
        counts->bytes++;
        counts->lines += c == '\n';
        counts->words += !isspace(c) && isspace(before);
        before = c;
    }
    fclose(file);
    return 0;
}

/* Counts all files and prints the sum. */
static int count_all(size_t n)
{
    struct counts *counts = calloc(n, sizeof *counts), sum = { 0 };
    size_t *indices = calloc(n, sizeof *indices);
    plait_result *results = calloc(n, sizeof *results);
    plait_map_opts opts = { .results = results };
    plait_pool *pool = NULL;
    int rc = counts == NULL || results == NULL || indices == NULL ? -ENOMEM : 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        indices[i] = i;
    if (rc == 0)
        rc = plait_pool_create(&pool, PLAIT_PROCESS, NULL);
    if (rc == 0)
        rc = plait_pool_map(pool, count_file, plait_items_of(indices, sizeof *indices, n),
                            plait_items_of(counts, sizeof *counts, n), &opts, PLAIT_FOREVER);
    plait_pool_destroy(pool);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        if (results[i].end != PLAIT_JOB_VALUE) {
            printf("%s: %s\n", paths[i], plait_strerror(results[i].code));
            continue;
        }
        sum.lines += counts[i].lines;
        sum.words += counts[i].words;
        sum.bytes += counts[i].bytes;
    }
    if (rc >= 0)
        printf("%ld lines, %ld words, %ld bytes in %zu files\n", sum.lines, sum.words, sum.bytes,
               n - (size_t)rc);
    free(counts);
    free(results);
    free(indices);
    return rc;
}

/* A folder with files in it, to which the program moves. */
static int make_samples(char **names)
{
    char folder[] = "/tmp/plait-wordcount.XXXXXX";

    if (mkdtemp(folder) == NULL || chdir(folder) < 0)
        return -errno;
    for (int i = 0; i < SAMPLES; i++) {
        FILE *file;
        char name[16];
        snprintf(name, sizeof name, "%02d.txt", i);
        names[i] = strdup(name);
        file = fopen(name, "w");
        if (file == NULL || names[i] == NULL)
            return -errno;
        for (int line = 0; line <= i; line++)
            fprintf(file, "strand %d of\tthe rope\n", line);
        fclose(file);
    }
    return unlink(names[7]) < 0 ? -errno : 0;
}

static void remove_samples(char **names)
{
    char folder[64];

    for (int i = 0; i < SAMPLES && names[i] != NULL; i++) {
        unlink(names[i]);
        free(names[i]);
    }
    if (getcwd(folder, sizeof folder) != NULL && strstr(folder, "/plait-wordcount.") != NULL)
        rmdir(folder);
}

int main(int argc, char **argv)
{
    char *names[SAMPLES] = { NULL };
    int rc = plait_init(&argc, &argv);

    paths = argc > 1 ? argv + 1 : names;
    if (rc == 0 && argc > 1)
        return count_all((size_t)argc - 1) != 0;
    if (rc == 0)
        rc = make_samples(names);
    if (rc == 0)
        rc = count_all(SAMPLES);
    remove_samples(names);
    if (rc < 0)
        fprintf(stderr, "%s\n", plait_strerror(rc));
    return rc != 1; /* the file that was gone */
}

/* prints:
 * 07.txt: No such file or directory
 * 1822 lines, 9110 words, 39537 bytes in 59 files
 */
