/* Pages in the order in which they were asked for, at most three downloads at a time.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>
#include <string.h>

struct page {
    char title[32];
};

static int next_number(void *item, void *arg)
{
    int *number = arg;

    memcpy(item, number, sizeof *number);
    return ++*number <= 8; /* 0: there are no more */
}

/* Somebody else waits here for the net; what is asked for first takes longest. */
static int fetch(const void *in, void *out, void *ctx)
{
    int number = *(const int *)in;

    (void)ctx;
    if (number == 5)
        return -1;
    snprintf(((struct page *)out)->title, sizeof(struct page), "page %d", number);
    return plait_sleep(plait_after_ms(8 - number));
}

int main(int argc, char **argv)
{
    plait_imap_opts opts = { .in_bytes = sizeof(int), .out_bytes = sizeof(struct page) };
    plait_group *group = NULL;
    plait_imap *pages = NULL;
    plait_result how;
    struct page page;
    int number = 0, rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_group_create(&group, &(plait_group_opts){ .max_running = 3 });
    if (rc == 0)
        rc = plait_group_imap(group, &pages, fetch, next_number, &number, &opts);
    while (rc == 0 && plait_imap_next(pages, &page, &how, PLAIT_FOREVER) == 1)
        puts(how.end == PLAIT_JOB_VALUE ? page.title : "nothing");
    plait_imap_destroy(pages);
    plait_group_destroy(group);
    return rc < 0;
}

/* prints:
 * page 0
 * page 1
 * page 2
 * page 3
 * page 4
 * nothing
 * page 6
 * page 7
 */
