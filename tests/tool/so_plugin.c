/* The functions that so_test.py has plait call.
 * SPDX-License-Identifier: MIT
 */
#include <plait/plugin.h>

#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT plait_pool_text_fn shout, bytes, fail, negative, one_bad, crash, leave, hang, told, much,
    where;
EXPORT plait_pool_text_fn half, twice, pid, place, reads, complain;
EXPORT int words(int argc, char **argv), slowly(int argc, char **argv),
    quits(int argc, char **argv);

/* For the file that tells the test where a job is; `in` begins with its path. */
static void tell(const void *in)
{
    int fd = open(in, O_WRONLY | O_APPEND);

    if (fd < 0 || write(fd, "x\n", 2) != 2)
        abort();
    close(fd);
}

int shout(plait_task *task, const void *in, size_t n)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++) {
        char c = (char)toupper(((const unsigned char *)in)[i]);
        rc = plait_task_write(task, &c, 1);
    }
    return rc == 0 ? plait_task_write(task, "\n", 1) : rc;
}

/* With a NUL in it where there are several values. */
int bytes(plait_task *task, const void *in, size_t n)
{
    char text[32];

    snprintf(text, sizeof text, "%zu:", n);
    plait_task_write(task, text, strlen(text));
    for (size_t i = 0; i <= n; i++) /* the one behind the last is a NUL, too */
        plait_task_write(task, ((const char *)in)[i] == '\0' ? "." : (const char *)in + i, 1);
    return plait_task_write(task, "\n", 1);
}

int fail(plait_task *task, const void *in, size_t n)
{
    (void)n;
    return plait_task_fail(task, in);
}

int negative(plait_task *task, const void *in, size_t n)
{
    (void)task;
    (void)n;
    return -atoi(in);
}

int one_bad(plait_task *task, const void *in, size_t n)
{
    return strcmp(in, "bad") == 0 ? -1 : shout(task, in, n);
}

int crash(plait_task *task, const void *in, size_t n)
{
    if (strcmp(in, "bad") != 0)
        return shout(task, in, n);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would end it in another way */
    return raise(SIGSEGV);
}

int leave(plait_task *task, const void *in, size_t n)
{
    (void)task;
    (void)n;
    _exit(atoi(in));
}

int hang(plait_task *task, const void *in, size_t n)
{
    if (strchr(in, '/') == NULL)
        return shout(task, in, n);
    tell(in);
    for (;;)
        pause();
}

/* Ends when it is asked to. */
int told(plait_task *task, const void *in, size_t n)
{
    (void)n;
    tell(in);
    while (!plait_task_cancelled(task))
        usleep(1000);
    return plait_task_fail(task, "asked to end");
}

int much(plait_task *task, const void *in, size_t n)
{
    static const char line[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n";
    int rc = 0;

    (void)n;
    for (int i = atoi(in); i > 0 && rc == 0; i--)
        rc = plait_task_write(task, line, sizeof line - 1);
    return rc;
}

/* In which file the function is that this library calls. */
int where(plait_task *task, const void *in, size_t n)
{
    int (*write_fn)(plait_task *, const void *, size_t) = plait_task_write;
    void *address;
    Dl_info info;
    void *other = dlopen("libplait.so.0", RTLD_NOW | RTLD_NOLOAD);

    (void)in;
    (void)n;
    memcpy(&address, &write_fn, sizeof address);
    if (other != NULL && dlsym(other, "plait_task_write") != address)
        return plait_task_fail(task, "there is another libplait");
    if (dladdr(address, &info) == 0)
        return plait_task_fail(task, "no file");
    return plait_task_write(task, info.dli_fname, strlen(info.dli_fname));
}

/* Is half done until there is a file: `in` is its path. */
int half(plait_task *task, const void *in, size_t n)
{
    (void)n;
    plait_task_progress(task, 21, 42);
    while (access(in, F_OK) != 0)
        usleep(1000);
    return 0;
}

/* Works at its second try: `in` is a path. */
int twice(plait_task *task, const void *in, size_t n)
{
    int fd = open(in, O_WRONLY | O_CREAT | O_EXCL, 0666);

    if (fd < 0)
        return shout(task, "twice", 5);
    (void)n;
    close(fd);
    plait_task_write(task, "once\n", 5);
    return plait_task_fail(task, "not yet");
}

int pid(plait_task *task, const void *in, size_t n)
{
    char text[32];

    (void)in;
    (void)n;
    snprintf(text, sizeof text, "%d\n", (int)getpid());
    return plait_task_write(task, text, strlen(text));
}

int place(plait_task *task, const void *in, size_t n)
{
    char folder[256], text[300];

    (void)in;
    (void)n;
    if (getcwd(folder, sizeof folder) == NULL)
        return -1;
    snprintf(text, sizeof text, "%s %d\n", strrchr(folder, '/') + 1, getpriority(PRIO_PROCESS, 0));
    return plait_task_write(task, text, strlen(text));
}

/* How much there is on standard input. */
int reads(plait_task *task, const void *in, size_t n)
{
    char text[64];

    (void)in;
    (void)n;
    snprintf(text, sizeof text, "%d\n", (int)read(0, text, sizeof text));
    return plait_task_write(task, text, strlen(text));
}

int complain(plait_task *task, const void *in, size_t n)
{
    (void)task;
    (void)n;
    fprintf(stderr, "%s\n", (const char *)in);
    return 0;
}

int words(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("<%s>", argv[i]);
    puts("");
    return argc > 1 ? atoi(argv[1]) : 0;
}

/* Its lines come in pieces, and some of them past stdio. */
int slowly(int argc, char **argv)
{
    (void)argc;
    for (int i = 0; i < 20; i++) {
        printf("%s ", argv[1]);
        fflush(stdout);
        usleep(500);
        if (write(1, "line\n", 5) != 5)
            return 1;
    }
    return 0;
}

int quits(int argc, char **argv)
{
    (void)argc;
    exit(atoi(argv[1]));
}
