/* Finding the control groups of this process.
 * SPDX-License-Identifier: MIT
 *
 * /proc/self/cgroup says in which group of each hierarchy we are; /proc/self/mountinfo says which
 * part of a hierarchy is mounted where:
 *
 *     4:cpu,cpuacct:/docker/ab12/work           our group
 *     31 23 0:28 /docker/ab12 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct
 *                └ our part   └ mount point
 *
 * so ours is /sys/fs/cgroup/cpu/work, and the walk up ends at the mount point: what is above cannot
 * be seen. In a container the mounted part is often our group itself. A mount whose part we are not
 * below (made in another cgroup namespace) is used only when there is no better one, and then its
 * mount point alone: what stands there governs us or one of our parents.
 */
#include "os/cgroup.h"

#include "base/buf.h"
#include "os/readfile.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Tens of thousands of mounts fit. */
enum {
    TEXT_LIMIT = 16 << 20
};

/* Fields of a line of mountinfo before the optional ones. */
enum {
    FIELD_ROOT = 3,
    FIELD_POINT = 4,
    FIELDS_FIXED = 6
};

/* Bytes inside a text. */
struct slice {
    const char *at;
    size_t len;
};

struct mount {
    struct slice root;    /* the part of the hierarchy that is mounted, escaped */
    struct slice point;   /* where, escaped */
    struct slice type;    /* "cgroup", "cgroup2" */
    struct slice options; /* for v1: which controllers */
};

struct walk {
    const struct plait__cgroup_text *text;
    const char *controller;
    int version;
    struct slice own; /* our group in this hierarchy */
    plait__cgroup_fn fn;
    void *arg;
    struct plait__buf part; /* scratch: the mount's root */
    struct plait__buf dir;  /* scratch: the directory */
};

/* For plait__os_cgroup_limit. */
struct limit {
    const char *file_v1;
    const char *file_v2;
    uint64_t smallest;
};

static bool is_equal(struct slice slice, const char *str)
{
    return slice.len == strlen(str) && memcmp(slice.at, str, slice.len) == 0;
}

/* Take what stands before the first `end`, and `end` itself, off `rest`. */
static struct slice take(struct slice *rest, char end)
{
    struct slice taken = *rest;
    const char *found = rest->len > 0 ? memchr(rest->at, end, rest->len) : NULL;

    if (found != NULL)
        taken.len = (size_t)(found - rest->at);
    rest->at += taken.len + (found != NULL);
    rest->len -= taken.len + (found != NULL);
    return taken;
}

static bool has_element(struct slice list, const char *element)
{
    while (list.len > 0)
        if (is_equal(take(&list, ','), element))
            return true;
    return false;
}

static bool has_parent_step(struct slice path)
{
    while (path.len > 0)
        if (is_equal(take(&path, '/'), ".."))
            return true;
    return false;
}

/* "hierarchy:controllers:path"; v2 is hierarchy 0 without controllers. */
static bool find_own(struct walk *walk)
{
    struct slice lines = { walk->text->cgroup, strlen(walk->text->cgroup) };

    while (lines.len > 0) {
        struct slice line = take(&lines, '\n');
        struct slice id = take(&line, ':');
        struct slice controllers = take(&line, ':');
        bool is_v2 = is_equal(id, "0") && controllers.len == 0;

        if (line.len == 0 || line.at[0] != '/')
            continue;
        if (walk->version == 2 ? is_v2 : !is_v2 && has_element(controllers, walk->controller)) {
            walk->own = line;
            return true;
        }
    }
    return false;
}

static bool parse_mount(struct slice line, struct mount *ret)
{
    struct slice field;

    for (int i = 0; i < FIELDS_FIXED; i++) {
        field = take(&line, ' ');
        if (i == FIELD_ROOT)
            ret->root = field;
        if (i == FIELD_POINT)
            ret->point = field;
    }
    do {
        if (line.len == 0)
            return false;
        field = take(&line, ' ');
    } while (!is_equal(field, "-"));
    ret->type = take(&line, ' ');
    take(&line, ' '); /* the source */
    ret->options = line;
    return ret->root.len > 0 && ret->root.at[0] == '/' && ret->point.len > 0 &&
           ret->point.at[0] == '/';
}

static bool is_wanted(const struct walk *walk, const struct mount *mount)
{
    if (walk->version == 2)
        return is_equal(mount->type, "cgroup2");
    return is_equal(mount->type, "cgroup") && has_element(mount->options, walk->controller);
}

static bool is_octal(const char *at)
{
    return at[0] >= '0' && at[0] <= '3' && at[1] >= '0' && at[1] <= '7' && at[2] >= '0' &&
           at[2] <= '7';
}

/* The kernel writes blanks, tabs, newlines and backslashes as \040 and so on. */
static int add_unescaped(struct plait__buf *buf, struct slice text)
{
    int rc = plait__buf_reserve(buf, text.len);

    for (size_t i = 0; rc == 0 && i < text.len; i++) {
        const char *at = text.at + i;

        if (*at == '\\' && text.len - i > 3 && is_octal(at + 1)) {
            rc = plait__buf_add_char(
                buf, (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0')));
            i += 3;
        } else {
            rc = plait__buf_add_char(buf, *at);
        }
    }
    return rc;
}

/* What is left of our group's path below the mounted part; false: we are not below it, as far as
 * one can see. */
static bool find_rest(const struct walk *walk, struct slice *ret)
{
    struct slice own = walk->own;
    size_t skip = walk->part.len;

    if (skip == 1)
        skip = 0; /* "/" */
    if (own.len < skip || (skip > 0 && memcmp(own.at, walk->part.data, skip) != 0))
        return false;
    own.at += skip;
    own.len -= skip;
    if (own.len > 0 && own.at[0] != '/')
        return false;
    if (has_parent_step(own))
        return false;
    if (own.len == 1)
        own.len = 0;
    *ret = own;
    return true;
}

/* Visit mount point + rest, and upwards to the mount point. */
static int climb(struct walk *walk, const struct mount *mount, struct slice rest)
{
    size_t top;
    int rc;

    plait__buf_clear(&walk->dir);
    rc = plait__buf_add_str(&walk->dir, walk->text->root);
    if (rc == 0 && mount->point.len > 1)
        rc = add_unescaped(&walk->dir, mount->point);
    top = walk->dir.len;
    if (rc == 0)
        rc = plait__buf_add(&walk->dir, rest.at, rest.len);
    while (rc == 0) {
        rc = walk->fn(walk->dir.data, walk->version, walk->arg);
        if (walk->dir.len == top)
            break;
        while (walk->dir.len > top && walk->dir.data[walk->dir.len - 1] != '/')
            walk->dir.len--;
        if (walk->dir.len > top)
            walk->dir.len--;
        walk->dir.data[walk->dir.len] = '\0';
    }
    return rc;
}

/* One pass over the mounts: those whose part we are below, or (is_below false) all, by their mount
 * point alone. */
static int visit_mounts(struct walk *walk, bool is_below, bool *ret_any)
{
    struct slice lines = { walk->text->mountinfo, strlen(walk->text->mountinfo) };
    int rc = 0;

    while (rc == 0 && lines.len > 0) {
        struct slice rest = { "", 0 };
        struct mount mount;

        if (!parse_mount(take(&lines, '\n'), &mount) || !is_wanted(walk, &mount))
            continue;
        plait__buf_clear(&walk->part);
        rc = add_unescaped(&walk->part, mount.root);
        if (rc < 0 || (is_below && !find_rest(walk, &rest)))
            continue;
        *ret_any = true;
        rc = climb(walk, &mount, rest);
    }
    return rc;
}

int plait__cgroup_walk(const struct plait__cgroup_text *text, const char *controller,
                       plait__cgroup_fn fn, void *arg)
{
    struct walk walk = { .text = text, .controller = controller, .fn = fn, .arg = arg };
    int rc = 0;

    /* A controller is in one hierarchy only, but which one is seen best by the files that are
     * there: look at both. */
    for (walk.version = 1; rc == 0 && walk.version <= 2; walk.version++) {
        bool any = false;

        if (!find_own(&walk))
            continue;
        rc = visit_mounts(&walk, true, &any);
        if (rc == 0 && !any)
            rc = visit_mounts(&walk, false, &any);
    }
    plait__buf_fini(&walk.part);
    plait__buf_fini(&walk.dir);
    return rc;
}

/* root + path into buf. Only -ENOMEM counts: a kernel that does not tell limits nothing that we
 * could know. */
static int read_below(struct plait__buf *buf, const char *root, const char *path)
{
    struct plait__buf full = { 0 };
    int rc = plait__buf_printf(&full, "%s%s", root, path);

    if (rc == 0)
        rc = plait__os_read_file(buf, full.data, TEXT_LIMIT);
    plait__buf_fini(&full);
    return rc == -ENOMEM ? rc : 0;
}

int plait__os_cgroup_walk(const char *root, const char *controller, plait__cgroup_fn fn, void *arg)
{
    struct plait__buf mountinfo = { 0 }, cgroup = { 0 };
    int rc = read_below(&mountinfo, root, "/proc/self/mountinfo");

    if (rc == 0)
        rc = read_below(&cgroup, root, "/proc/self/cgroup");
    if (rc == 0 && mountinfo.len > 0 && cgroup.len > 0) {
        struct plait__cgroup_text text = { .mountinfo = mountinfo.data,
                                           .cgroup = cgroup.data,
                                           .root = root };

        rc = plait__cgroup_walk(&text, controller, fn, arg);
    }
    plait__buf_fini(&mountinfo);
    plait__buf_fini(&cgroup);
    return rc;
}

static int lower_limit(const char *dir, int version, void *arg)
{
    struct limit *limit = arg;
    const char *file = version == 1 ? limit->file_v1 : limit->file_v2;
    uint64_t value;

    if (plait__os_read_numbers(dir, file, &value, 1) == 1 && value < limit->smallest)
        limit->smallest = value;
    return 0;
}

uint64_t plait__os_cgroup_limit(const char *root, const char *controller, const char *file_v1,
                                const char *file_v2)
{
    struct limit limit = { file_v1, file_v2, UINT64_MAX };

    /* Out of memory on the way: what was found until then is a limit too. */
    plait__os_cgroup_walk(root, controller, lower_limit, &limit);
    return limit.smallest;
}
