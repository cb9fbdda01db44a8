/* The program and the shared objects that a process has loaded.
 * SPDX-License-Identifier: MIT
 */
#include "os/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/auxv.h>

/* ---- one of them ---- */

static bool has(const struct dl_phdr_info *info, uintptr_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && address >= begin && address < begin + part->p_memsz)
            return true;
    }
    return false;
}

static size_t pad(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

/* The build-id among the notes. */
static bool find_id(const char *at, size_t bytes, struct plait__module *ret)
{
    while (bytes >= sizeof(ElfW(Nhdr))) {
        const ElfW(Nhdr) *note = (const ElfW(Nhdr) *)(const void *)at;
        size_t whole = sizeof *note + pad(note->n_namesz) + pad(note->n_descsz);
        const char *name = at + sizeof *note;
        if (whole > bytes)
            return false;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(name, "GNU", 4) == 0 &&
            note->n_descsz <= sizeof ret->id) {
            ret->id_bytes = note->n_descsz;
            memcpy(ret->id, name + pad(note->n_namesz), note->n_descsz);
            return true;
        }
        at += whole;
        bytes -= whole;
    }
    return false;
}

static void describe(const struct dl_phdr_info *info, struct plait__module *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->path = info->dlpi_name;
    ret->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_NOTE &&
            find_id((const char *)(info->dlpi_addr + part->p_vaddr), part->p_memsz, ret))
            return;
    }
}

/* ---- all of them ---- */

/* The program's code. */
static struct {
    uintptr_t base;
    uintptr_t begin;
    uintptr_t end; /* atomic; 0: not known yet */
} program;

struct search {
    uintptr_t address;
    const struct plait__module *like;
    struct plait__module *ret;
    uint64_t loads;
};

static int count_loads(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct search *search = arg;

    (void)bytes;
    search->loads = info->dlpi_adds + info->dlpi_subs;
    return 1;
}

uint64_t plait__os_module_loads(void)
{
    struct search search = { 0 };

    dl_iterate_phdr(count_loads, &search);
    return search.loads;
}

/* Of the program itself, which comes first. */
static int measure(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)bytes;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        program.base = info->dlpi_addr;
        program.begin = info->dlpi_addr + part->p_vaddr;
        /* release: pairs with the acquire below; all who come here at once store the same */
        __atomic_store_n(&program.end, program.begin + part->p_memsz, __ATOMIC_RELEASE);
        return 1;
    }
    return 1;
}

static uintptr_t program_end(void)
{
    uintptr_t end = __atomic_load_n(&program.end, __ATOMIC_ACQUIRE);

    if (end == 0) {
        dl_iterate_phdr(measure, NULL);
        end = __atomic_load_n(&program.end, __ATOMIC_ACQUIRE);
    }
    return end;
}

bool plait__os_module_is_program(uintptr_t address)
{
    uintptr_t end = program_end();

    return address >= program.begin && address < end;
}

uintptr_t plait__os_module_program_base(void)
{
    program_end();
    return program.base;
}

/* Does the program name a loader? */
static int names_loader(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)bytes;
    (void)arg;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_INTERP)
            return 1;
    return -1; /* no other object is looked at */
}

bool plait__os_module_is_executed(void)
{
    /* the kernel has loaded a loader only where it was not the program to execute */
    return getauxval(AT_BASE) != 0 || dl_iterate_phdr(names_loader, NULL) != 1;
}

static int is_there(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct search *search = arg;

    (void)bytes;
    if (!has(info, search->address))
        return 0;
    describe(info, search->ret);
    return 1;
}

int plait__os_module_at(uintptr_t address, struct plait__module *ret)
{
    struct search search = { .address = address, .ret = ret };

    return dl_iterate_phdr(is_there, &search) == 1 ? 0 : -ENOENT;
}

/* The same build, wherever it lies. */
static int is_like(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct search *search = arg;
    struct plait__module found;

    (void)bytes;
    describe(info, &found);
    if (found.id_bytes == 0 || found.id_bytes != search->like->id_bytes ||
        memcmp(found.id, search->like->id, sizeof found.id) != 0)
        return 0;
    search->ret->base = found.base;
    return 1;
}

int plait__os_module_find(struct plait__module *module, const char **ret_why)
{
    struct search search = { .like = module, .ret = module };
    struct link_map *map;
    void *loaded;

    if (dl_iterate_phdr(is_like, &search) == 1)
        return 0;
    loaded = dlopen(module->path, RTLD_NOW | RTLD_LOCAL);
    if (loaded == NULL) {
        *ret_why = dlerror();
        return -ENOENT;
    }
    if (dl_iterate_phdr(is_like, &search) == 1)
        return 0;
    if (module->id_bytes == 0 && dlinfo(loaded, RTLD_DI_LINKMAP, &map) == 0) {
        module->base = map->l_addr; /* nothing but its path tells what it is */
        return 0;
    }
    dlclose(loaded);
    *ret_why = "the file is another build of it by now";
    return -ENOENT;
}
