/* Whole small files, such as those of /proc.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_READFILE_H
#define PLAIT__OS_READFILE_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

/* Adds the file's bytes to `ret`. 0; -EFBIG: it has more than `limit`; -ENOMEM; -errno of opening
 * or reading it. On failure `ret` holds what it did before. */
int plait__os_read_file(struct plait__buf *ret, const char *path, size_t limit);

/* The numbers in the first line of dir/file, a blank between them: at most n. "max" and "-1" are
 * UINT64_MAX. How many there were; -EINVAL: something else; -ENOMEM; -errno of reading it. */
int plait__os_read_numbers(const char *dir, const char *file, uint64_t *ret, int n);

#endif
