/* malloc of the C library, or "calloc", whose blocks are zeroed. Only threads share them.
 * SPDX-License-Identifier: MIT
 */
#include "blocks.h"

static bool is_zeroed;

static void *blocks_alloc(size_t bytes)
{
    return is_zeroed ? calloc(1, bytes) : malloc(bytes);
}

static void blocks_free(void *block)
{
    free(block);
}

int main(int argc, char **argv)
{
    is_zeroed = argc == 4 && strcmp(argv[1], "calloc") == 0;
    return blocks_main(argc, argv, false);
}
