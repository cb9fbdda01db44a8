/* Each coroutine knows whom it serves, however deep in its calls; what it starts knows it too.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *copy(void *user)
{
    return strdup(user);
}

static plait_local user = { .destroy = free, .inherit = copy };

static void write_log(const char *what)
{
    printf("%s: %s\n", (char *)plait_local_get(&user), what);
}

static int send_mail(void *arg)
{
    (void)arg;
    write_log("mail");
    return 0;
}

static int serve(void *arg)
{
    char *name = strdup(arg);

    if (name == NULL || plait_local_set(&user, name) < 0)
        return -1;
    write_log("hello");
    plait_yield(); /* the others have their turn */
    write_log("goodbye");
    return plait_go(send_mail, NULL);
}

int main(int argc, char **argv)
{
    plait_group *group = NULL;
    int rc = plait_init(&argc, &argv);

    if (rc == 0)
        rc = plait_group_create(&group, NULL);
    if (rc == 0)
        rc = plait_group_go(group, serve, "ann", PLAIT_NOWAIT);
    if (rc == 0)
        rc = plait_group_go(group, serve, "bob", PLAIT_NOWAIT);
    if (rc == 0)
        rc = plait_group_join(group, PLAIT_FOREVER);
    plait_group_destroy(group);
    return rc != 0;
}

/* prints:
 * ann: hello
 * bob: hello
 * ann: goodbye
 * bob: goodbye
 * ann: mail
 * bob: mail
 */
