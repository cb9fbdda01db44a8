/* The program and the shared objects that a process has loaded.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT__OS_MODULE_H
#define PLAIT__OS_MODULE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PLAIT__MODULE_ID_BYTES = 32
};

struct plait__module {
    const char *path;                         /* as it was loaded */
    uintptr_t base;                           /* addresses in it are this plus what its file says */
    uint32_t id_bytes;                        /* 0: it has no build-id */
    unsigned char id[PLAIT__MODULE_ID_BYTES]; /* what its linker named this build of it */
};

/* Is the address in the program itself, which never goes? */
bool plait__os_module_is_program(uintptr_t address);
/* Where it lies: addresses in it are this plus what its file says. */
uintptr_t plait__os_module_program_base(void);
/* Is the program what the kernel has executed? False: a loader was told to run it. */
bool plait__os_module_is_executed(void);
/* Another number whenever a shared object has come or gone. */
uint64_t plait__os_module_loads(void);
/* The shared object that the address is in; its path lives as long as it is loaded. -ENOENT. */
int plait__os_module_at(uintptr_t address, struct plait__module *ret);
/* Where that build of it is here: sets its base. Loads it if need be. -ENOENT: *ret_why says why not,
 * until the next call of the loader's. */
int plait__os_module_find(struct plait__module *module, const char **ret_why);

#endif
