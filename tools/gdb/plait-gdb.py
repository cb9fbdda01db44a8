"""Coroutines of plait in gdb, of a program that is stopped or in a core.

    (gdb) source tools/gdb/plait-gdb.py
    (gdb) plait coroutines
    (gdb) plait bt 2
    (gdb) plait bt all

It needs plait's debug information. gdb's own generate-core-file cannot read stacks whose guard pages the kernel has marked
(PLAIT_DISABLE=guard_marks makes others); the cores that the kernel writes have them.

SPDX-License-Identifier: MIT
"""
import gdb
import gdb.unwinder

KINDS = {"PLAIT__ON_LOCK": "lock", "PLAIT__ON_RWLOCK": "reader-writer lock", "PLAIT__ON_SEMAPHORE": "semaphore",
         "PLAIT__ON_EVENT": "event", "PLAIT__ON_CONDITION": "condition", "PLAIT__ON_QUEUE": "queue",
         "PLAIT__ON_TASK": "the end of a task", "PLAIT__ON_GROUP": "the end of group", "PLAIT__ON_TIME": "its time",
         "PLAIT__ON_IDLE": "a moment when nothing else is ready"}
# the names of the registers that a parked context has, as gdb calls them
REGISTERS = {"i386:x86-64": {"rip": "ip", "rsp": "sp", "rbp": "fp", "rbx": "bp"},
             "aarch64": {"pc": "ip", "sp": "sp", "x29": "fp", "x19": "bp"}}


def pointer_to(kind):
    return gdb.lookup_type(kind).pointer()


def entries(head, kind, member):
    """The objects of an intrusive list."""
    offset = next(field.bitpos // 8 for field in gdb.lookup_type(kind).fields() if field.name == member)
    node = head["next"]
    while node and node != head.address:
        yield (node.cast(gdb.lookup_type("char").pointer()) - offset).cast(pointer_to(kind)).dereference()
        node = node["next"]


def loops():
    loop = gdb.parse_and_eval("plait__loops")
    while loop:
        if loop["thread"]:
            yield loop.dereference()
        loop = loop["earlier"]


def thread_of(loop):
    """gdb's thread that runs the loop; None: it is not among those that are there."""
    return next((thread for thread in gdb.selected_inferior().threads() if thread.ptid[1] == int(loop["thread"])
                 or thread.ptid[0] == int(loop["thread"])), None)


def stack_pointer(thread):
    was = gdb.selected_thread()
    thread.switch()
    at = int(gdb.newest_frame().read_register("sp"))
    was.switch()
    return at


class Strand:
    """A coroutine, or the thread itself."""

    def __init__(self, loop, strand, at):
        self.loop, self.strand = loop, strand
        low = int(strand["stack"]["low"])
        # the one on whose stack the thread is has no parked registers, also when it waits
        self.is_on_stack = low <= at < low + int(strand["stack"]["bytes"])

    def name(self):
        if not self.strand["task"]:
            return f"thread {int(self.loop['thread'])}"
        task = self.strand["task"].cast(pointer_to("struct plait_task"))
        return task["name"].string() if task["name"] else f"Coroutine-{int(task['id'])}"

    def does(self):
        sleeper = self.strand["sleeper"]
        is_parked = int(self.strand["state"]) == int(gdb.parse_and_eval("(int)PLAIT__STRAND_PARKED"))
        if not is_parked and not self.strand["is_calling"]:
            return "runs" if self.is_on_stack else "is ready to run"
        if not sleeper["word"]:
            return "waits for descriptors, or one of several things"
        kind = str(sleeper["kind"]) if sleeper["said"] == sleeper["word"] else "PLAIT__ON_WORD"
        return f"waits for {KINDS.get(kind, 'word')} {int(sleeper['word']):#x}"

    def site(self):
        at = int(self.strand["site"])
        if not at:
            return ""
        block, name = gdb.block_for_pc(at - 1), None
        while block is not None: # the outermost one: plait_task_start itself is inlined
            name, block = block.function or name, block.superblock
        return f", started in {name or '?'} at {at - 1:#x}"

    def __str__(self):
        return f"{self.name()}: {self.does()}{self.site()}"


def strands():
    for loop in loops():
        thread = thread_of(loop)
        at = stack_pointer(thread) if thread else 0
        found = [Strand(loop, strand, at) for strand in entries(loop["strands"], "struct plait__strand", "node")]
        root = Strand(loop, loop["root"], 0)
        root.is_on_stack = not any(strand.is_on_stack for strand in found)
        yield from [root] + found


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Parked(gdb.unwinder.Unwinder):
    """While it has registers: says that they are the caller's of the innermost frame."""

    def __init__(self):
        super().__init__("plait")
        self.registers = self.innermost = None

    def __call__(self, frame):
        if self.registers is None:
            return None
        if (int(frame.read_register("sp")), int(frame.read_register("pc"))) != self.innermost:
            return None
        info = frame.create_unwind_info(FrameId(*[frame.read_register(name) for name in ("sp", "pc")]))
        for name, value in self.registers.items():
            info.add_saved_register(name, value)
        return info

    def backtrace(self, strand):
        names = REGISTERS.get(gdb.selected_inferior().architecture().name() if hasattr(
            gdb.selected_inferior(), "architecture") else gdb.newest_frame().architecture().name())
        if names is None:
            return "    not known on this machine\n"
        newest = gdb.newest_frame()
        self.innermost = int(newest.read_register("sp")), int(newest.read_register("pc"))
        cpu, number = strand["context"]["cpu"], gdb.lookup_type("unsigned long")
        self.registers = {name: cpu[field].cast(number) for name, field in names.items()}
        gdb.invalidate_cached_frames()
        try:
            return "\n".join(gdb.execute("backtrace", to_string=True).splitlines()[1:]) + "\n"
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()


class Plait(gdb.Command):
    """Coroutines of plait."""

    def __init__(self):
        super().__init__("plait", gdb.COMMAND_STACK, prefix=True)


class Coroutines(gdb.Command):
    """List all coroutines, and the threads that run them: what they wait for, and where they were started."""

    def __init__(self):
        super().__init__("plait coroutines", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for number, strand in enumerate(strands()):
            print(f"{number:4} {strand}")


class Backtrace(gdb.Command):
    """Show the stack of a coroutine, by its number in `plait coroutines`, or of all."""

    def __init__(self):
        super().__init__("plait bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for number, strand in enumerate(strands()):
            if argument.strip() not in ("all", str(number)):
                continue
            print(f"stack of {number} {strand}")
            if strand.is_on_stack:
                was = gdb.selected_thread()
                thread_of(strand.loop).switch()
                gdb.execute("backtrace")
                was.switch()
            else:
                print(PARKED.backtrace(strand.strand), end="")


PARKED = Parked()
gdb.unwinder.register_unwinder(None, PARKED, replace=True)
Plait()
Coroutines()
Backtrace()
