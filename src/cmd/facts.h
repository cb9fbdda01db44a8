/* What `plait info` knows about the machine: one fact after the other.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__CMD_FACTS_H
#define PLAIT__CMD_FACTS_H

#include <stdint.h>

enum cmd_fact_kind {
    CMD_FACT_TEXT,
    CMD_FACT_COUNT,
    CMD_FACT_BYTES
};

/* No number: there is no limit, or nobody knows. */
#define CMD_FACT_NONE UINT64_MAX

/* Facts of one group come one after the other. All strings live as long as the call. */
struct cmd_fact {
    const char *group; /* its title and its key in JSON, lower case */
    const char *key;   /* in JSON, with the unit */
    const char *label; /* for people */
    enum cmd_fact_kind kind;
    const char *text;   /* CMD_FACT_TEXT; NULL: nobody knows */
    uint64_t number;    /* else; may be CMD_FACT_NONE */
    const char *none;   /* what CMD_FACT_NONE means: "none", "unknown" */
    const char *remark; /* behind the value, for people; NULL: nothing to say */
    const char *note;   /* below it, for people; NULL: nothing to say */
};

/* 0 goes on; a negative number ends the telling and is returned by it. */
typedef int (*cmd_fact_fn)(const struct cmd_fact *fact, void *ctx);

/* json: the JSON library, NULL without one. Tells all facts in the order in which they are to be shown. What cannot be found out is told as
 * unknown. */
int cmd_facts_tell(const char *json, cmd_fact_fn fn, void *ctx);

#endif
