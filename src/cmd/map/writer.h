/* Writing to standard output and standard error without being stuck there.
 * SPDX-License-Identifier: MIT
 *
 * A pipe or terminal whose reader is slow must not keep plait from seeing a Ctrl-C: each piece is
 * written only when there is room for it, and while there is none the descriptor `interrupt` is
 * watched.
 */
#ifndef PLAIT__CMD_MAP_WRITER_H
#define PLAIT__CMD_MAP_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Asked when `interrupt` is readable; empties it. 0: go on writing, negative: give up. */
typedef int map_writer_ask_fn(void *arg);

struct map_writer {
    int fd;
    int interrupt; /* readable: something wants attention; -1: none */
    map_writer_ask_fn *ask;
    void *ask_arg;
    int64_t give_up_ns; /* a reader that takes nothing until then is given up; INT64_MAX: never */
    bool is_file;       /* never full: large pieces */
    bool is_gone;       /* the reader went away, or an error was met: nothing is written any more */
    int error;          /* what was met, negative; 0: nothing */
};

void map_writer_init(struct map_writer *writer, int fd);
/* Writes all. -EPIPE: the reader is gone · -EINTR: given up, by what `ask` said or by give_up_ns ·
 * -errno. The same again at each later call. */
int map_writer_write(struct map_writer *writer, const char *bytes, size_t n);

#endif
