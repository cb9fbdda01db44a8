/* The input values of one job.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/map/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct map_values *values)
{
    size_t cap = values->cap == 0 ? 4 : values->cap * 2;

    if (cap > SIZE_MAX / sizeof *values->v)
        return -ENOMEM;
    char **v = realloc(values->v, cap * sizeof *v);
    if (v == NULL)
        return -ENOMEM;
    values->v = v;
    values->cap = cap;
    return 0;
}

int map_values_add(struct map_values *values, const char *bytes, size_t len)
{
    if (values->n == values->cap && grow(values) < 0)
        return -ENOMEM;
    if (len == SIZE_MAX)
        return -ENOMEM;
    char *copy = malloc(len + 1);
    if (copy == NULL)
        return -ENOMEM;
    if (len > 0)
        memcpy(copy, bytes, len);
    copy[len] = '\0';
    values->v[values->n++] = copy;
    return 0;
}

void map_values_fini(struct map_values *values)
{
    for (size_t i = 0; i < values->n; i++)
        free(values->v[i]);
    free(values->v);
    *values = (struct map_values){ 0 };
}
