/* A JSON value as text, by jansson.
 * SPDX-License-Identifier: MIT
 *
 * jansson forgets when the name of a member could not be written, and says that all is well: so what failed is kept here.
 */
#include "cmd/dump_json.h"

#include <errno.h>

struct dump {
    struct plait__buf *buf;
    int rc; /* of the first write that failed */
};

static int write_bytes(const char *bytes, size_t len, void *user)
{
    struct dump *dump = user;

    if (dump->rc == 0)
        dump->rc = plait__buf_add(dump->buf, bytes, len);
    return dump->rc;
}

int cmd_dump_json(struct plait__buf *ret, const json_t *value, size_t flags)
{
    struct dump dump = { .buf = ret };
    size_t before = ret->len;

    if (json_dump_callback(value, write_bytes, &dump, flags) == 0 && dump.rc == 0)
        return 0;
    ret->len = before;
    if (ret->data != NULL)
        ret->data[before] = '\0';
    return -ENOMEM;
}
