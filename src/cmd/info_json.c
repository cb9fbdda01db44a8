/* `plait info --json`, by jansson.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/info_json.h"

#include "cmd/dump_json.h"
#include "cmd/facts.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

enum {
    KEY_BYTES = 64
};

const char *cmd_info_json_library(void)
{
    return "jansson " JANSSON_VERSION;
}

/* "kernel features" -> "kernel_features" */
static void make_key(char key[KEY_BYTES], const char *name)
{
    snprintf(key, KEY_BYTES, "%s", name);
    for (; *key != '\0'; key++)
        if (*key == ' ')
            *key = '_';
}

static json_t *make_value(const struct cmd_fact *fact)
{
    if (fact->kind == CMD_FACT_TEXT)
        return fact->text != NULL ? json_string(fact->text) : json_null();
    return fact->number <= INT64_MAX ? json_integer((json_int_t)fact->number) : json_null();
}

static int add_fact(const struct cmd_fact *fact, void *ctx)
{
    json_t *all = ctx, *group;
    char key[KEY_BYTES];

    make_key(key, fact->group);
    group = json_object_get(all, key);
    if (group == NULL) {
        group = json_object();
        if (json_object_set_new(all, key, group) < 0)
            return -ENOMEM;
    }
    return json_object_set_new(group, fact->key, make_value(fact)) < 0 ? -ENOMEM : 0;
}

int cmd_info_json(struct plait__buf *ret)
{
    json_t *all = json_object();
    int rc = all != NULL ? cmd_facts_tell(cmd_info_json_library(), add_fact, all) : -ENOMEM;

    if (rc == 0)
        rc = cmd_dump_json(ret, all, JSON_COMPACT);
    if (rc == 0)
        rc = plait__buf_add_char(ret, '\n');
    json_decref(all);
    return rc;
}
