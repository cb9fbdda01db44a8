/* --so LIBRARY:FUNCTION: the function of a shared object, found before the first job.
 * SPDX-License-Identifier: MIT
 *
 * The dynamic linker's own words for a wrong file are for those who know it; so the file is looked
 * at first. A library that was linked with libplait finds the tool's: the tool exports plait's
 * functions, and has the name of the library (cmake/tool.cmake).
 */
#include "cmd/map/so_load.h"
#include "cmd/exit.h"

#include <plait/error.h>

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What stands at the same place in the header of each class of ELF file. */
struct head {
    unsigned char ident[EI_NIDENT];
    uint16_t type, machine;
};

static int refuse(struct plait__buf *error, int exit_code, const char *library, const char *says)
{
    int rc = plait__buf_printf(error, "'%s' %s", library, says);

    return rc < 0 ? CMD_EXIT_ERROR : exit_code;
}

/* The first bytes of a file. 0; -ENOEXEC: it is shorter; -errno. */
static int read_head(const char *path, struct head *ret)
{
    ssize_t n;
    int fd;

    do
        fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -errno;
    do
        n = read(fd, ret, sizeof *ret);
    while (n < 0 && errno == EINTR);
    n = n < 0 ? -errno : n;
    close(fd);
    return n < 0 ? (int)n : (size_t)n < sizeof *ret ? -ENOEXEC : 0;
}

/* Is it for the machine that this program is for? Where nobody can tell, yes. */
static bool is_of_our_kind(const struct head *head)
{
    struct head ours;

    return read_head("/proc/self/exe", &ours) < 0 ||
           (head->machine == ours.machine && head->ident[EI_CLASS] == ours.ident[EI_CLASS] &&
            head->ident[EI_DATA] == ours.ident[EI_DATA]);
}

/* What is wrong with a file whose header was read. NULL: nothing. */
static const char *find_fault(const struct head *head)
{
    if (memcmp(head->ident, ELFMAG, SELFMAG) != 0)
        return "is not a shared object; from C source it is made by: cc -shared -fPIC -o library.so "
               "source.c";
    if (!is_of_our_kind(head))
        return "is for another kind of machine than this plait: build it here";
    if (head->type == ET_REL)
        return "is an object file, not yet linked: cc -shared -o library.so file.o, compiled with "
               "-fPIC";
    return head->type != ET_DYN ? "is not a shared object: link it with cc -shared" : NULL;
}

static int check_file(const char *path, struct plait__buf *error)
{
    struct head head;
    struct stat status;
    const char *fault;
    int rc;

    if (stat(path, &status) < 0)
        return refuse(error, errno == EACCES ? CMD_EXIT_NOT_EXECUTABLE : CMD_EXIT_NOT_FOUND, path,
                      errno == EACCES ? "cannot be read: a folder on the way to it is closed"
                                      : "is not there");
    if (S_ISDIR(status.st_mode))
        return refuse(error, CMD_EXIT_NOT_EXECUTABLE, path, "is a folder, not a shared object");
    if (!S_ISREG(status.st_mode))
        return refuse(error, CMD_EXIT_NOT_EXECUTABLE, path, "is no file");
    rc = read_head(path, &head);
    if (rc < 0 && rc != -ENOEXEC)
        return refuse(error, CMD_EXIT_NOT_EXECUTABLE, path,
                      rc == -EACCES ? "may not be read (chmod +r?)" : plait_strerror(rc));
    if (rc < 0) /* too short for a head */
        head = (struct head){ .type = ET_NONE };
    fault = find_fault(&head);
    return fault != NULL ? refuse(error, CMD_EXIT_NOT_EXECUTABLE, path, fault) : 0;
}

/* What the dynamic linker said, without the name of the library that it begins with. */
static int refuse_to_load(const char *path, struct plait__buf *error)
{
    const char *why = dlerror(), *cure = "";
    size_t n = strlen(path);

    why = why != NULL ? why : "the dynamic linker refuses it";
    if (strncmp(why, path, n) == 0 && strncmp(why + n, ": ", 2) == 0)
        why += n + 2;
    if (strstr(why, "undefined symbol") != NULL || strstr(why, "symbol not found") != NULL)
        cure = "; link the shared object with the library that has it";
    else if (strstr(why, "libplait") != NULL) /* musl looks for it although we have its name */
        cure = "; link it without libplait, which is in plait";
    else if (strstr(why, "cannot open shared object file") != NULL)
        cure = "; LD_LIBRARY_PATH can say where that is";
    else if (strstr(why, "executable") != NULL)
        cure = "; it is a program: link it with cc -shared";
    if (plait__buf_printf(error, "'%s' cannot be loaded: %s%s", path, why, cure) < 0)
        return CMD_EXIT_ERROR;
    return CMD_EXIT_NOT_EXECUTABLE;
}

static int look_up(void **ret, const char *path, const char *function, struct plait__buf *error)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL), *found;

    if (library == NULL)
        return refuse_to_load(path, error);
    found = dlsym(library, function);
    if (found == NULL) {
        int rc =
            plait__buf_printf(error,
                              "'%s' has no function '%s' that others may call; if it is there, "
                              "it is static, hidden, or C++ without extern \"C\"",
                              path, function);
        return rc < 0 ? CMD_EXIT_ERROR : CMD_EXIT_NOT_FOUND;
    }
    *ret = found;
    return 0;
}

int map_so_load(void **ret, const char *spec, struct plait__buf *error)
{
    const char *colon = strrchr(spec, ':');
    struct plait__buf path = { 0 };
    int rc;

    if (colon == NULL || colon == spec || colon[1] == '\0') {
        rc = plait__buf_printf(error,
                               "--so wants a library and a function, such as ./libthumb.so:thumb, "
                               "not '%s'",
                               spec);
        return rc < 0 ? CMD_EXIT_ERROR : CMD_EXIT_USAGE;
    }
    rc = plait__buf_printf(&path, "%s%.*s",
                           memchr(spec, '/', (size_t)(colon - spec)) == NULL ? "./" : "",
                           (int)(colon - spec), spec);
    rc = rc < 0 ? CMD_EXIT_ERROR : check_file(path.data, error);
    if (rc == 0)
        rc = look_up(ret, path.data, colon + 1, error);
    plait__buf_fini(&path);
    return rc;
}
