/* "Did you mean …?": the distance between two words.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/suggest.h"

#include <limits.h>
#include <string.h>

enum {
    LENGTH_MAX = 63,
    PREFIX_MIN = 3
};

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned cmd_distance(const char *a, const char *b)
{
    /* Three rows of the table of Damerau and Levenshtein: a swap looks back two. */
    unsigned char rows[3][LENGTH_MAX + 1];
    size_t na = strlen(a), nb = strlen(b);

    if (na > LENGTH_MAX || nb > LENGTH_MAX)
        return UINT_MAX;
    for (size_t j = 0; j <= nb; j++)
        rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= na; i++) {
        const unsigned char *before = rows[(i - 1) % 3], *before_that = rows[(i + 1) % 3];
        unsigned char *row = rows[i % 3];

        row[0] = (unsigned char)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned best = before[j - 1] + (a[i - 1] != b[j - 1]);

            best = smaller(best, smaller(before[j] + 1U, row[j - 1] + 1U));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = smaller(best, before_that[j - 2] + 1U);
            row[j] = (unsigned char)best;
        }
    }
    return rows[na % 3][nb];
}

void cmd_suggest_offer(struct cmd_suggestion *guess, const char *name)
{
    size_t length = strlen(guess->word);
    unsigned distance = cmd_distance(guess->word, name);
    unsigned limit = length < 6 ? 1 : (unsigned)(length / 3);

    /* A beginning is as good as one slip: typing stopped early. */
    if (length >= PREFIX_MIN && distance > 1 && strncmp(guess->word, name, length) == 0)
        distance = 1;
    if (distance > limit || distance >= length)
        return;
    if (guess->best == NULL || distance < guess->distance) {
        guess->best = name;
        guess->distance = distance;
    }
}
