/* A bare posix_spawn loop with two jobs at once: the limit of `plait map` for a command.
 * SPDX-License-Identifier: MIT
 *
 *     limit-posix-spawn [-g] /path/of/command [ARG…] < lines
 *
 * Each line of the input becomes the last argument of one job. It does nothing else: no keeper, no account, no process
 * groups, and without -g the jobs write where they like. With -g a job's output goes to a memory file and is copied out
 * whole when it ended, which is the least that "grouped" can mean. Two memory files are used over and over.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    AT_ONCE = 2,
    MAX_WORDS = 16
};

struct slot {
    pid_t pid;                          /* 0: free */
    int out;                            /* -1: the job writes to our stdout */
    posix_spawn_file_actions_t actions; /* made once, used by each job of the slot */
};

struct loop {
    struct slot slots[AT_ONCE];
    char *words[MAX_WORDS + 2]; /* the command; the input; NULL */
    int n_words;
    int running;
    bool is_failed;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void open_slot(struct slot *slot, bool is_grouped)
{
    slot->pid = 0;
    slot->out = -1;
    posix_spawn_file_actions_init(&slot->actions);
    if (!is_grouped)
        return;
    slot->out = memfd_create("job", MFD_CLOEXEC);
    if (slot->out < 0)
        die("memfd_create");
    posix_spawn_file_actions_adddup2(&slot->actions, slot->out, STDOUT_FILENO);
}

/* The jobs' stdin must not be the list: once it is read, stdin becomes /dev/null for all. */
static char *read_list(void)
{
    char *text = NULL;
    size_t room = 0;

    if (getdelim(&text, &room, '\0', stdin) < 0) { /* no line, no job */
        free(text);
        return NULL;
    }

    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null < 0 || dup2(null, STDIN_FILENO) < 0)
        die("/dev/null");
    return text;
}

static void start(struct loop *loop, char *input)
{
    struct slot *slot = loop->slots;

    while (slot->pid != 0)
        slot++;
    loop->words[loop->n_words] = input;

    int rc = posix_spawn(&slot->pid, loop->words[0], &slot->actions, NULL, loop->words, environ);

    if (rc != 0) {
        errno = rc;
        die(loop->words[0]);
    }
    loop->running++;
}

static void copy_out(int out)
{
    off_t at = 0;
    off_t end = lseek(out, 0, SEEK_END);

    while (at < end)
        if (sendfile(STDOUT_FILENO, out, &at, (size_t)(end - at)) <= 0)
            die("sendfile");
    if (ftruncate(out, 0) < 0 || lseek(out, 0, SEEK_SET) < 0) /* the next job shares the offset */
        die("ftruncate");
}

static void reap_one(struct loop *loop)
{
    int status = 0;
    pid_t pid = waitpid(-1, &status, 0);
    struct slot *slot = loop->slots;

    if (pid < 0)
        die("waitpid");
    while (slot->pid != pid)
        slot++;
    if (slot->out >= 0)
        copy_out(slot->out);
    slot->pid = 0;
    loop->running--;
    if (status != 0)
        loop->is_failed = true;
}

int main(int argc, char **argv)
{
    struct loop loop = { 0 };
    bool is_grouped = argc > 1 && strcmp(argv[1], "-g") == 0;
    int first = is_grouped ? 2 : 1;
    char *rest = NULL;

    if (argc <= first || argc - first > MAX_WORDS) {
        fprintf(stderr, "usage: %s [-g] /path/of/command [ARG...] < lines\n", argv[0]);
        return 2;
    }
    loop.n_words = argc - first;
    memcpy(loop.words, argv + first, (size_t)loop.n_words * sizeof *argv);
    for (int i = 0; i < AT_ONCE; i++)
        open_slot(&loop.slots[i], is_grouped);

    char *text = read_list();

    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        if (loop.running == AT_ONCE)
            reap_one(&loop);
        start(&loop, line);
    }
    while (loop.running > 0)
        reap_one(&loop);
    for (int i = 0; i < AT_ONCE; i++)
        posix_spawn_file_actions_destroy(&loop.slots[i].actions);
    free(text);
    return loop.is_failed ? 1 : 0;
}
