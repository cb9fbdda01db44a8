/* The words of a text, one after the other: the function keeps its place by itself.
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <plait.h>
#include <stdio.h>

static int split(plait_gen *gen, void *arg)
{
    const char *text = arg;
    char word[100];
    size_t n = 0;
    int rc = 0;

    do {
        if (isalpha((unsigned char)*text) && n < sizeof word - 1) {
            word[n++] = *text;
        } else if (n > 0) {
            word[n] = '\0';
            n = 0;
            rc = plait_gen_yield(gen, word); /* -ECANCELED: nobody wants more */
        }
    } while (rc == 0 && *text++ != '\0');
    return rc;
}

int main(int argc, char **argv)
{
    static char text[] = "Three strands, woven into one rope.";
    plait_gen *words = NULL;
    void *word = NULL;
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_gen_create(&words, split, text, NULL);
    while (rc >= 0 && (rc = plait_gen_next(words, &word)) == 1)
        puts(word);
    plait_gen_destroy(words);
    return rc < 0;
}

/* prints:
 * Three
 * strands
 * woven
 * into
 * one
 * rope
 */
