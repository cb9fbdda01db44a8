/* What `plait info` tells.
 * SPDX-License-Identifier: MIT
 */
#include "cmd/facts.h"

#include "cmd/info_json.h"
#include "test.h"

#include <errno.h>
#include <plait/cpu.h>
#include <stdlib.h>
#include <string.h>

enum {
    FACTS_MAX = 100
};

/* What was told, for the checks. */
struct heard {
    char *groups[FACTS_MAX];
    char *keys[FACTS_MAX];
    size_t n;
    uint64_t cpus_used;
    int rc; /* to return */
};

static int hear(const struct cmd_fact *fact, void *ctx)
{
    struct heard *heard = ctx;

    CHECK(heard->n < FACTS_MAX);
    CHECK(fact->label != NULL && fact->label[0] != '\0');
    CHECK(fact->kind == CMD_FACT_TEXT ? fact->text != NULL
                                      : fact->number != CMD_FACT_NONE || fact->none != NULL);
    heard->groups[heard->n] = strdup(fact->group);
    heard->keys[heard->n] = strdup(fact->key);
    heard->n++;
    if (strcmp(fact->group, "cpus") == 0 && strcmp(fact->key, "used") == 0)
        heard->cpus_used = fact->number;
    return heard->rc;
}

static void forget(struct heard *heard)
{
    for (size_t i = 0; i < heard->n; i++) {
        free(heard->groups[i]);
        free(heard->keys[i]);
    }
}

TEST(each_fact_has_a_place_of_its_own)
{
    static struct heard heard;

    CHECK_INT(cmd_facts_tell(NULL, hear, &heard), 0);
    CHECK(heard.n > 15);
    for (size_t i = 0; i < heard.n; i++)
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(heard.groups[i], heard.groups[j]) != 0 ||
                  strcmp(heard.keys[i], heard.keys[j]) != 0);
    forget(&heard);
}

TEST(groups_are_told_one_after_the_other)
{
    static struct heard heard;
    int changes = 0, groups = 0;

    CHECK_INT(cmd_facts_tell(NULL, hear, &heard), 0);
    for (size_t i = 0; i < heard.n; i++) {
        bool is_new = true;

        for (size_t j = 0; j < i; j++)
            is_new = is_new && strcmp(heard.groups[i], heard.groups[j]) != 0;
        groups += is_new;
        changes += i == 0 || strcmp(heard.groups[i], heard.groups[i - 1]) != 0;
    }
    CHECK_INT(changes, groups);
    forget(&heard);
}

TEST(the_cpus_are_those_that_plait_uses)
{
    static struct heard heard;

    CHECK_INT(cmd_facts_tell(NULL, hear, &heard), 0);
    CHECK_INT(heard.cpus_used, plait_cpu_count());
    forget(&heard);
}

TEST(a_failing_listener_ends_the_telling)
{
    static struct heard heard = { .rc = -ENOSPC };

    CHECK_INT(cmd_facts_tell(NULL, hear, &heard), -ENOSPC);
    CHECK_INT(heard.n, 1);
    forget(&heard);
}

TEST(json_is_one_line_or_refused_without_jansson)
{
    struct plait__buf buf = { 0 };
    int rc = cmd_info_json(&buf);

    if (cmd_info_json_library() == NULL) {
        CHECK_INT(rc, -ENOSYS);
        CHECK_INT(buf.len, 0);
        return;
    }
    CHECK_INT(rc, 0);
    CHECK(strncmp(buf.data, "{\"plait\":{\"version\":", 20) == 0);
    CHECK(strchr(buf.data, '\n') == buf.data + buf.len - 1);
    CHECK(strstr(buf.data, "\"kernel_features\":{") != NULL);
    plait__buf_fini(&buf);
}
