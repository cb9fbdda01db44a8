/* plait's own switch between two contexts, and nothing else: what its coroutines could cost at least.
 * SPDX-License-Identifier: MIT
 */
#include "switches.h"

#include "os/context.h"

static struct plait__context here, there;

static struct plait__context *begin(void *arg)
{
    (void)arg;
    switches_there();
    return &here;
}

static int switches_make(void *low, size_t bytes)
{
    plait__context_of_thread(&here);
    plait__context_make(&there, low, bytes, begin, NULL);
    return 0;
}

static void switches_go(void)
{
    plait__context_switch(&here, &there);
}

static void switches_back(void)
{
    plait__context_switch(&there, &here);
}

int main(int argc, char **argv)
{
    return switches_main(argc, argv);
}
