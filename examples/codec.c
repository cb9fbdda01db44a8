/* Blocks through a codec (zlib), some of them broken: each broken one is named, the others come out
 * whole.
 * SPDX-License-Identifier: MIT
 *
 * needs: zlib
 *
 * The reader of a block trusts its head, as much code that reads files does: a head that lies is its
 * death. In a process of the pool that is the death of one job.
 */
#include <plait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    BLOCKS = 200,
    PLAIN = 16 * 1024,
    PACKED = PLAIN + 1024,
};

struct plain {
    unsigned char bytes[PLAIN];
};

struct packed {
    size_t plain_bytes; /* the head */
    uLongf bytes;
    unsigned char data[PACKED];
};

static int pack(const void *in, void *out, void *ctx)
{
    struct packed *packed = out;

    (void)ctx;
    packed->plain_bytes = PLAIN;
    packed->bytes = PACKED;
    return compress2(packed->data, &packed->bytes, in, PLAIN, 9) == Z_OK ? 0 : -1;
}

static int unpack(const void *in, void *out, void *ctx)
{
    const struct packed *packed = in;
    uLongf n = packed->plain_bytes;

    (void)ctx;
    if (n > PLAIN)
        abort(); /* what an overrun ends in, if all goes well */
    if (uncompress(out, &n, packed->data, packed->bytes) != Z_OK || n != PLAIN)
        return plait_task_fail(plait_task_current(), "damaged data");
    return 0;
}

/* Text that packs well, another one for each block. */
static void fill(struct plain *blocks)
{
    for (size_t i = 0; i < BLOCKS; i++)
        for (size_t at = 0; at < PLAIN; at++)
            blocks[i].bytes[at] = (unsigned char)("over and under, "[at % 16] ^ (at * i >> 9 & 3));
}

static void print_broken(const plait_result *results)
{
    for (int i = 0; i < BLOCKS; i++)
        if (results[i].end == PLAIT_JOB_LOST)
            printf("block %d: its reader died of signal %d\n", i, results[i].signal);
        else if (results[i].end != PLAIT_JOB_VALUE)
            printf("block %d: damaged\n", i);
}

int main(int argc, char **argv)
{
    static struct plain before[BLOCKS], after[BLOCKS];
    static struct packed packed[BLOCKS];
    static plait_result results[BLOCKS];
    plait_map_opts opts = { .results = results };
    plait_pool *pool = NULL;
    int same = 0, rc = plait_init(&argc, &argv);

    fill(before);
    if (rc == 0)
        rc = plait_pool_create(&pool, PLAIT_PROCESS, NULL);
    if (rc == 0)
        rc = plait_pool_map(pool, pack, PLAIT_IN(before), PLAIT_OUT(packed), NULL, PLAIT_FOREVER);
    if (rc == 0) {
        packed[17].data[20] ^= 0x55;
        packed[99].bytes /= 2;
        packed[150].plain_bytes = (size_t)-1;
        rc = plait_pool_map(pool, unpack, PLAIT_IN(packed), PLAIT_OUT(after), &opts, PLAIT_FOREVER);
    }
    plait_pool_destroy(pool);
    if (rc < 0) {
        fprintf(stderr, "%s\n", plait_strerror(rc));
        return 1;
    }
    print_broken(results);
    for (int i = 0; i < BLOCKS; i++)
        same += results[i].end == PLAIT_JOB_VALUE &&
                memcmp(&before[i], &after[i], sizeof before[i]) == 0;
    printf("%d of %d blocks are what they were\n", same, BLOCKS);
    return 0;
}

/* prints:
 * block 17: damaged
 * block 99: damaged
 * block 150: its reader died of signal 6
 * 197 of 200 blocks are what they were
 */
