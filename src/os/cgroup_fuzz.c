/* Any bytes as mountinfo and as the list of our groups, a NUL between the two.
 * SPDX-License-Identifier: MIT
 */
#include "os/cgroup.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each directory is absolute, below the root, and nothing steps up in what our group's path
 * added. */
static int check_dir(const char *dir, int version, void *arg)
{
    int *left = arg;

    if (strncmp(dir, "/root", 5) != 0 || (dir[5] != '/' && dir[5] != '\0') || version < 1 ||
        version > 2)
        abort();
    return --*left == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 2);
    struct plait__cgroup_text all = { .root = "/root" };
    int left = 1000;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    all.mountinfo = text;
    all.cgroup = text + strlen(text) + 1;
    plait__cgroup_walk(&all, "cpu", check_dir, &left);
    free(text);
    return 0;
}
