/* Words as a shell reads them.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_MAP_QUOTE_H
#define PLAIT__CMD_MAP_QUOTE_H

#include "base/buf.h"

/* Adds the word so that a shell reads it back as one word of exactly these bytes; plain where it
 * may be plain. Control characters come as $'\n', which bash, ksh and zsh read, and dash from
 * 0.5.13 on: one line always. Any other word is quoted as every POSIX shell reads it. */
int map_quote_line(struct plait__buf *buf, const char *word);

/* Adds the word quoted for the inside of a snippet: in bare text, inside '…' or inside "…". Never
 * changes a byte of the value as the shell sees it; a newline stays a newline. */
int map_quote_bare(struct plait__buf *buf, const char *word);
int map_quote_single(struct plait__buf *buf, const char *word);
int map_quote_double(struct plait__buf *buf, const char *word);

/* The words of a line that map_quote_line wrote, one blank between them, for --retry-failed.
 * *ret_words: NULL-terminated, to be freed with map_unquote_free. -EINVAL when it is not such a
 * line to the byte. */
int map_unquote_line(const char *line, char ***ret_words, size_t *ret_n);
void map_unquote_free(char **words);

/* The n words in `bytes`, a NUL after each, as a NULL-terminated array that takes the bytes over;
 * freed like the above. -ENOMEM leaves `bytes` alone. */
int map_words_take(struct plait__buf *bytes, size_t n, char ***ret_words);

#endif
