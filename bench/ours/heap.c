/* plait's heap: blocks are zeroed, and freed by any process.
 * SPDX-License-Identifier: MIT
 */
#include "blocks.h"
#include <plait.h>

static void *blocks_alloc(size_t bytes)
{
    return plait_shared_alloc(bytes);
}

static void blocks_free(void *block)
{
    plait_shared_free(block);
}

int main(int argc, char **argv)
{
    plait_shared_free(plait_shared_alloc(1)); /* the family begins before the fork */
    return blocks_main(argc, argv, true);
}
