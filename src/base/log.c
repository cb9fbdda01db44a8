/* The log callback and its default.
 * SPDX-License-Identifier: MIT
 *
 * A message may come from any thread while another one sets the callback, and fn and arg belong
 * together. They are guarded by a sequence count: odd while they change. A reader that does not get
 * a whole pair in a few tries — in a child that was forked in the middle of a change it never would
 * — writes to standard error instead of waiting.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MESSAGE_CAP = 1024,
    TRIES = 100
};

static const char prefix[] = "plait: ";

struct sink {
    plait_log_fn fn; /* NULL: standard error */
    void *arg;
};

static struct {
    atomic_uint sequence;
    _Atomic(plait_log_fn) fn;
    _Atomic(void *) arg;
    atomic_int level;
} current = { .level = PLAIT_LOG_WARNING };

int plait_log_set(plait_log_fn fn, void *arg, plait_log_level level)
{
    unsigned busy;

    if ((int)level < PLAIT_LOG_OFF || level > PLAIT_LOG_DEBUG)
        return -EINVAL;
    busy = atomic_load(&current.sequence) | 1; /* odd already, if a fork came between */
    atomic_store(&current.sequence, busy);
    atomic_store(&current.fn, fn);
    atomic_store(&current.arg, arg);
    atomic_store(&current.level, (int)level);
    atomic_store(&current.sequence, busy + 1);
    return 0;
}

static struct sink read_sink(void)
{
    for (int i = 0; i < TRIES; i++) {
        unsigned before = atomic_load(&current.sequence);
        struct sink sink = { atomic_load(&current.fn), atomic_load(&current.arg) };

        if (before % 2 == 0 && atomic_load(&current.sequence) == before)
            return sink;
    }
    return (struct sink){ 0 };
}

static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            *text = '?';
}

/* In one write, so that lines of several processes do not mix. */
static void write_line(char *line)
{
    size_t len = strlen(line);
    ssize_t n;

    line[len] = '\n';
    do
        n = write(STDERR_FILENO, line, len + 1);
    while (n < 0 && errno == EINTR);
}

void plait__log(plait_log_level level, const char *format, ...)
{
    char line[sizeof(prefix) + MESSAGE_CAP + 1]; /* prefix, message, newline, NUL */
    char *message = line + sizeof(prefix) - 1;
    int saved_errno = errno;
    struct sink sink;
    va_list args;
    int n;

    if ((int)level > atomic_load_explicit(&current.level, memory_order_relaxed))
        return; /* relaxed: a message more or less while the level changes is no harm */
    memcpy(line, prefix, sizeof(prefix));
    va_start(args, format);
    n = vsnprintf(message, MESSAGE_CAP, format, args);
    va_end(args);
    if (n >= MESSAGE_CAP)
        memcpy(message + MESSAGE_CAP - 4, "...", 4);
    make_printable(message);
    sink = read_sink();
    if (sink.fn != NULL)
        sink.fn(level, message, sink.arg);
    else
        write_line(line);
    errno = saved_errno;
}
