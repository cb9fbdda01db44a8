/* MPI: a master that sends each job by itself, and workers that answer; all of them poll.
 * SPDX-License-Identifier: MIT
 *
 *     mpirun -np 3 mpi SCENARIO COUNT        the master and two workers
 *
 * Each worker has a few small jobs ahead, so that it need not wait for the master.
 */
#include "pools.h"
#include <mpi.h>

enum {
    AHEAD = 16,
    LARGEST = 64 << 20,
    TAG_NUMBER = 1, /* a number, and which it is */
    TAG_BYTES,
    TAG_END
};

struct message {
    uint64_t at;
    uint64_t number;
};

static int workers;

static int make(void)
{
    MPI_Comm_size(MPI_COMM_WORLD, &workers);
    workers--;
    return workers > 0 ? 0 : -EINVAL;
}

static void send_number(const uint64_t *in, size_t at, int worker)
{
    struct message message = { at, in[at] };

    MPI_Send(&message, sizeof message, MPI_BYTE, worker, TAG_NUMBER, MPI_COMM_WORLD);
}

static int map(const uint64_t *in, uint64_t *out, size_t n)
{
    size_t sent = 0;

    for (int i = 0; i < AHEAD * workers && sent < n; i++)
        send_number(in, sent++, 1 + i % workers);
    for (size_t got = 0; got < n; got++) {
        struct message message;
        MPI_Status status;
        MPI_Recv(&message, sizeof message, MPI_BYTE, MPI_ANY_SOURCE, TAG_NUMBER, MPI_COMM_WORLD,
                 &status);
        out[message.at] = message.number;
        if (sent < n)
            send_number(in, sent++, status.MPI_SOURCE);
    }
    return 0;
}

static int apply(const char *in, size_t n, uint64_t *ret)
{
    MPI_Send(in, (int)n, MPI_BYTE, 1, TAG_BYTES, MPI_COMM_WORLD);
    MPI_Recv(ret, sizeof *ret, MPI_BYTE, 1, TAG_BYTES, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return 0;
}

static int work(void)
{
    char *in = malloc(LARGEST);

    for (;;) {
        MPI_Status status;
        int n = 0;
        MPI_Recv(in, LARGEST, MPI_BYTE, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        MPI_Get_count(&status, MPI_BYTE, &n);
        if (status.MPI_TAG == TAG_NUMBER) {
            struct message message;
            memcpy(&message, in, sizeof message);
            message.number = pools_trivial(message.number);
            MPI_Send(&message, sizeof message, MPI_BYTE, 0, TAG_NUMBER, MPI_COMM_WORLD);
        } else if (status.MPI_TAG == TAG_BYTES) {
            uint64_t result = pools_job(in, (size_t)n);
            MPI_Send(&result, sizeof result, MPI_BYTE, 0, TAG_BYTES, MPI_COMM_WORLD);
        } else {
            free(in);
            return 0;
        }
    }
}

int main(int argc, char **argv)
{
    static const struct pools_program program = { make, map, apply, NULL, NULL };
    int rank = 0, rc;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    rc = rank == 0 ? pools_main(argc, argv, &program) : work();
    if (rank == 0 && rc != 0)
        MPI_Abort(MPI_COMM_WORLD, rc);
    for (int i = 1; rank == 0 && i <= workers; i++)
        MPI_Send(NULL, 0, MPI_BYTE, i, TAG_END, MPI_COMM_WORLD);
    MPI_Finalize();
    return rc;
}
