/* Five pages, fetched at the same time, and counted as soon as they are there.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

struct page {
    char text[64];
};

static int fetch(const char *url, struct page *ret)
{
    plait_sleep(plait_after_ms(20)); /* the network */
    snprintf(ret->text, sizeof ret->text, "this is %s", url);
    return 0;
}

PLAIT_LAZY(fetch, struct page, const char *);

static int count(plait_lazy *of, long *ret)
{
    struct page page;
    int rc = plait_lazy_get(of, &page, sizeof page, PLAIT_FOREVER);

    for (*ret = 0; rc == 0 && page.text[*ret] != '\0';)
        ++*ret;
    return rc;
}

PLAIT_LAZY(count, long, plait_lazy *);

int main(int argc, char **argv)
{
    static const char *const urls[] = { "/", "/about", "/news", "/people", "/contact" };
    const plait_pool_opts five = { .workers = 5 };
    plait_lazy *pages[5], *counts[5];
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_lazy_pool(PLAIT_THREAD, &five);
    for (int i = 0; i < 5; i++) {
        pages[i] = fetch_lazy(urls[i]); /* returns at once */
        counts[i] = count_lazy(pages[i]);
    }
    for (int i = 0; i < 5; i++) {
        long n = 0;
        if (rc == 0)
            rc = plait_lazy_get(counts[i], &n, sizeof n, PLAIT_FOREVER);
        if (rc == 0)
            printf("%s has %ld letters\n", urls[i], n);
        plait_lazy_destroy(counts[i]);
        plait_lazy_destroy(pages[i]);
    }
    return rc != 0;
}

/* prints:
 * / has 9 letters
 * /about has 14 letters
 * /news has 13 letters
 * /people has 15 letters
 * /contact has 16 letters
 */
