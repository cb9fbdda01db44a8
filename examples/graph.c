/* A small build: what needs nothing begins at once, the program is linked when its objects are there.
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <plait.h>
#include <stdio.h>

struct text {
    char bytes[64];
};

static int compile(const void *const *row, void *out, void *ctx)
{
    (void)row;
    if (ctx == NULL)
        return -EIO;
    snprintf(((struct text *)out)->bytes, sizeof(struct text), "%s", (const char *)ctx);
    return plait_sleep(plait_after_ms(1));
}

static int link_both(const void *const *row, void *out, void *ctx)
{
    const struct text *first = row[0], *second = row[1];

    (void)ctx;
    snprintf(((struct text *)out)->bytes, sizeof(struct text), "%.20s + %.20s", first->bytes,
             second->bytes);
    return 0;
}

int main(int argc, char **argv)
{
    static const char *const good[] = { "main.o", "util.o" }, *const bad[] = { "main.o", "gui.o" };
    const size_t size = sizeof(struct text);
    const plait_graph_node nodes[] = {
        { .key = "tool", .fn = link_both, .needs = good, .n_needs = 2, .out_bytes = size },
        { .key = "viewer", .fn = link_both, .needs = bad, .n_needs = 2, .out_bytes = size },
        { .key = "main.o", .fn = compile, .ctx = "main", .out_bytes = size },
        { .key = "util.o", .fn = compile, .ctx = "util", .out_bytes = size },
        { .key = "gui.o", .fn = compile, .out_bytes = size },
    };
    plait_graph *graph = NULL;
    const char *culprit = NULL;
    struct text text;
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_graph_create(&graph, &(plait_group_opts){ .max_running = 2 });
    for (size_t i = 0; rc == 0 && i < sizeof nodes / sizeof nodes[0]; i++)
        rc = plait_graph_add(graph, &nodes[i]);
    if (rc == 0)
        rc = plait_graph_wait(graph, PLAIT_FOREVER);
    if (rc >= 0 && plait_graph_get(graph, "tool", &text, sizeof text, PLAIT_NOWAIT) > 0)
        printf("tool: %s\n", text.bytes);
    if (rc > 0 && plait_graph_failure(graph, "viewer", &culprit) == -EIO)
        printf("%d failed, viewer because of %s\n", rc, culprit);
    plait_graph_destroy(graph);
    return rc < 0;
}

/* prints:
 * tool: main + util
 * 2 failed, viewer because of gui.o
 */
