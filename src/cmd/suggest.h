/* "Did you mean …?"
 * SPDX-License-Identifier: MIT
 *
 *     struct cmd_suggestion guess = {.word = word};
 *     for each name: cmd_suggest_offer(&guess, name);
 *     if (guess.best != NULL) …
 */
#ifndef PLAIT__CMD_SUGGEST_H
#define PLAIT__CMD_SUGGEST_H

struct cmd_suggestion {
    const char *word;  /* what was typed; in */
    const char *best;  /* the nearest name so far; NULL: none is near */
    unsigned distance; /* of best */
};

/* Insertions, deletions, replacements and swaps of neighbours that lead from a to b (optimal string
 * alignment). Names longer than 63 bytes count as far apart. */
unsigned cmd_distance(const char *a, const char *b);

/* Keeps the name if it is nearer than the best so far and near enough to be meant: one edit for
 * each three letters, and at least one; or if the word is a beginning of it, three letters or more.
 * The first of equals stays. */
void cmd_suggest_offer(struct cmd_suggestion *guess, const char *name);

#endif
