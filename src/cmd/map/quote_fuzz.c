/* Fuzzing quote.c: words come back from their line; a line that is read is written the same.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/quote.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int claim)
{
    if (!claim)
        abort();
}

/* `bytes` is NUL-separated words. */
static void write_and_read(const char *bytes, size_t n)
{
    struct plait__buf line = { 0 };
    const char *word = bytes;
    char **words = NULL;
    size_t n_read = 0;

    for (size_t i = 0; i < n; i++, word += strlen(word) + 1) {
        expect(i == 0 || plait__buf_add_char(&line, ' ') == 0);
        expect(map_quote_line(&line, word) == 0);
    }
    expect(strpbrk(line.data, "\n\t\r\x1b\x7f") == NULL);
    expect(map_unquote_line(line.data, &words, &n_read) == 0);
    expect(n_read == n && words[n] == NULL);
    word = bytes;
    for (size_t i = 0; i < n; i++, word += strlen(word) + 1)
        expect(strcmp(words[i], word) == 0);
    map_unquote_free(words);
    plait__buf_fini(&line);
}

static void read_and_write(const char *text)
{
    struct plait__buf line = { 0 };
    char **words = NULL;
    size_t n = 0;

    if (map_unquote_line(text, &words, &n) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        expect(i == 0 || plait__buf_add_char(&line, ' ') == 0);
        expect(map_quote_line(&line, words[i]) == 0);
    }
    expect(strcmp(line.data, text) == 0);
    map_unquote_free(words);
    plait__buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *bytes = malloc(size + 1);
    size_t n = 1;

    if (bytes == NULL)
        return 0;
    if (size > 0)
        memcpy(bytes, data, size);
    bytes[size] = '\0';
    for (size_t i = 0; i < size; i++)
        n += bytes[i] == '\0';
    write_and_read(bytes, n);
    read_and_write(bytes);
    free(bytes);
    return 0;
}
