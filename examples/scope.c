/* A function that knows no deadlines gets one; what it has to clean up is waited for nevertheless.
 * SPDX-License-Identifier: MIT
 */
#include <plait.h>
#include <stdio.h>

static int say(const char *what)
{
    puts(what);
    return plait_sleep(plait_after_ms(1)); /* so long it takes until the other side has heard it */
}

static int talk(void)
{
    int rc = say("hello");

    if (rc == 0)
        rc = plait_sleep(PLAIT_FOREVER); /* for an answer that never comes */
    plait_cancel_mask();
    if (say("goodbye") == 0)
        puts("it was heard");
    plait_cancel_unmask();
    return rc;
}

int main(int argc, char **argv)
{
    plait_scope scope;
    int rc;

    if (plait_init(&argc, &argv) < 0 || plait_scope_enter(&scope, plait_after_ms(100)) < 0)
        return 1;
    rc = talk();
    if (plait_scope_leave(&scope))
        printf("too late: %s\n", plait_strerror(rc));
    return 0;
}

/* prints:
 * hello
 * goodbye
 * it was heard
 * too late: Connection timed out
 */
