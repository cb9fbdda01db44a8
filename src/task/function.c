/* Functions of the program, named so that another process of the family finds them.
 * SPDX-License-Identifier: MIT
 */
#include "task/function.h"
#include "base/beside.h"
#include "base/log.h"
#include "family/heap.h"
#include "os/module.h"
#include "wait/mutex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct plait__function {
    uint64_t offset;
    uint32_t id_bytes;
    unsigned char id[PLAIT__MODULE_ID_BYTES];
    char path[];
};

enum {
    KNOWN = 64 /* places of the small tables below; what has no place is looked up again */
};

/* ---- the owner's side ---- */

static struct plait__mutex lock PLAIT__BESIDE; /* of names; each forked child looks at it */

static struct {
    uint64_t loads; /* how often objects came or went when `known` was right */

    struct {
        uintptr_t address;
        const struct plait__function *function;
    } known[KNOWN];
} names;

static unsigned place_of(uintptr_t key)
{
    return (unsigned)((key >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 58);
}

static int make_name(const struct plait__module *module, uintptr_t address,
                     struct plait__function **ret)
{
    /* a worker may be elsewhere. Where the file is gone, those are left that have it in memory */
    char *path = realpath(module->path, NULL);
    bool is_gone = path == NULL && errno == ENOENT && module->id_bytes > 0;
    size_t length;
    struct plait__function *function;

    if (is_gone)
        path = strdup(module->path);
    if (path == NULL)
        return errno == ENOMEM ? -ENOMEM : -ENOENT;
    length = strlen(path) + 1;
    function = plait__heap_alloc(sizeof *function + length);
    if (function == NULL) {
        free(path);
        return -ENOMEM;
    }
    function->offset = address - module->base;
    function->id_bytes = module->id_bytes;
    memcpy(function->id, module->id, sizeof function->id);
    memcpy(function->path, path, length);
    free(path);
    *ret = function;
    return 0;
}

static int look_up(uintptr_t address, const struct plait__function **ret)
{
    unsigned place = place_of(address);
    uint64_t loads = plait__os_module_loads();
    struct plait__function *made = NULL;
    struct plait__module module;
    int rc;

    if (names.loads != loads) /* another object may be at the same address now */
        memset(names.known, 0, sizeof names.known);
    names.loads = loads;
    if (names.known[place].address == address) {
        *ret = names.known[place].function;
        return 0;
    }
    rc = plait__os_module_at(address, &module);
    if (rc == 0)
        rc = make_name(&module, address, &made);
    if (rc < 0)
        return rc;
    /* one that it replaces may still be named in a slot: it stays in the heap */
    names.known[place].address = address;
    names.known[place].function = made;
    *ret = made;
    return 0;
}

int plait__function_name(uintptr_t address, const struct plait__function **ret)
{
    int rc;

    if (plait__os_module_is_program(address)) {
        *ret = NULL;
        return 0;
    }
    plait__mutex_lock(&lock);
    rc = look_up(address, ret);
    plait__mutex_unlock(&lock);
    return rc == -ENOENT ? -EINVAL : rc;
}

void plait__functions_at_fork(void)
{
    plait__mutex_reset(&lock);
}

/* ---- the worker's side ---- */

static struct {
    const struct plait__function *function;
    uintptr_t address;
} found[KNOWN];

uintptr_t plait__function_find(const struct plait__function *function)
{
    unsigned place = place_of((uintptr_t)function);
    struct plait__module module = { .path = function->path, .id_bytes = function->id_bytes };
    const char *why = NULL;

    if (found[place].function == function)
        return found[place].address;
    memcpy(module.id, function->id, sizeof module.id);
    if (plait__os_module_find(&module, &why) < 0) {
        plait__log(PLAIT_LOG_ERROR, "the process has not got the function at %#llx of %s: %s",
                   (unsigned long long)function->offset, function->path, why);
        return 0;
    }
    found[place].function = function;
    found[place].address = module.base + function->offset;
    return found[place].address;
}
