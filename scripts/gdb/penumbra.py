# SPDX-License-Identifier: MIT
"""Commands for gdb on QEMU's stub: gdb build/kernel.debug -x scripts/gdb/penumbra.py

pmm [MM]       an address space: root table, CPUs, VMAs
ppte VA [MM]   the entries on the way to an address
pframe PFN     a frame: kind and references
ptasks         every process and its threads
"""
import gdb

DIRECT_MAP = 0xFFFF888000000000
PFN_MASK = 0x000FFFFFFFFFF000
P, W, D, PS, COW, NX = 1, 1 << 1, 1 << 6, 1 << 7, 1 << 58, 1 << 63
SHADOW_STACK = 0x20
FLAGS = {1: "r", 2: "w", 4: "x", 8: "shared", 16: "grows", 32: "shstk", 64: "2M", 128: "1G"}


def entries_of(head, kind, member):
    """The structures of a kernel list, by the struct list inside them."""
    kind = gdb.lookup_type(kind)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == member)
    node = head["next"]
    while int(node) != int(head.address):
        yield gdb.Value(int(node) - offset).cast(kind.pointer())
        node = node["next"]


def mm_of(text):
    """The address space that an argument names, or the one that this CPU runs."""
    if text:
        return gdb.parse_and_eval(text).cast(gdb.lookup_type("struct mm").pointer())
    cpu = gdb.parse_and_eval("(struct percpu *)$gs_base")
    if not int(cpu) or not int(cpu["mm"]):
        raise gdb.GdbError("this CPU runs no address space, or is not in the kernel: name one")
    return cpu["mm"]


def vmas_of(mm):
    return entries_of(mm["vmas"], "struct vma", "link")


def word(physical):
    return int(gdb.parse_and_eval(f"*(unsigned long *){DIRECT_MAP + physical:#x}"))


def state(entry, shadow_stack, writable):
    """The letter of docs/book/02-paging.md for a leaf."""
    w, d, cow = bool(entry & W), bool(entry & D), bool(entry & COW)
    if not entry & P:
        return "n"
    if d and not w:
        return "c" if shadow_stack else "e"
    if w:
        return "!" if shadow_stack else "w"
    if not cow:
        return "r"
    return "d" if shadow_stack else "a" if writable else "b"


class PrintMm(gdb.Command):
    """pmm [MM]: an address space: root table, CPUs that have it, VMAs."""

    def __init__(self):
        super().__init__("pmm", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        mm = mm_of(text)
        arch = mm["arch"]
        print(f"mm {int(mm):#x} root {int(arch['root']['v']):#x} cpus {int(arch['cpus']):#x}")
        for vma in vmas_of(mm):
            flags = int(vma["flags"])
            names = " ".join(name for bit, name in FLAGS.items() if flags & bit)
            print(f"  {int(vma['start']):#016x}-{int(vma['end']):#016x} {names}")


class PrintPte(gdb.Command):
    """ppte VA [MM]: the entries on the way to an address, and the leaf's state letter."""

    def __init__(self):
        super().__init__("ppte", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        words = gdb.string_to_argv(text)
        if not words:
            raise gdb.GdbError("ppte VA [MM]")
        va = int(gdb.parse_and_eval(words[0])) & (1 << 64) - 1
        mm = mm_of(words[1] if len(words) > 1 else "")
        vma = next((v for v in vmas_of(mm) if int(v["start"]) <= va < int(v["end"])), None)
        flags = int(vma["flags"]) if vma else 0
        table = int(mm["arch"]["root"]["v"])
        for level in (4, 3, 2, 1):
            entry = word(table + 8 * (va >> 12 + 9 * (level - 1) & 511))
            leaf = level == 1 or bool(entry & PS)
            letter = state(entry, flags & SHADOW_STACK, flags & 2) if leaf and vma else ""
            bits = f"W{int(bool(entry & W))} D{int(bool(entry & D))} COW{int(bool(entry & COW))}"
            print(f"  level {level} {entry:#018x} {bits} NX{entry >> 63} {letter}")
            if leaf or not entry & P:
                break
            table = entry & PFN_MASK


class PrintFrame(gdb.Command):
    """pframe PFN: a frame's kind and references."""

    def __init__(self):
        super().__init__("pframe", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        if not text:
            raise gdb.GdbError("pframe PFN")
        frame = gdb.parse_and_eval(f"frame_array[{text}]")
        kind = gdb.Value(int(frame["kind"])).cast(gdb.lookup_type("enum frame_kind"))
        print(f"frame {text}: {kind}, {int(frame['refs'])} references")


class PrintTasks(gdb.Command):
    """ptasks: every process, and the state of its threads."""

    def __init__(self):
        super().__init__("ptasks", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        processes = gdb.parse_and_eval("all_processes")
        for process in entries_of(processes, "struct process", "all_link"):
            print(f"pid {int(process['pid'])}{' zombie' if process['zombie'] else ''}")
            for task in entries_of(process["threads"], "struct task", "thread_link"):
                name = task["name"].string()
                print(f"  tid {int(task['tid'])} {name} {task['state']} on CPU {int(task['cpu'])}")


PrintMm()
PrintPte()
PrintFrame()
PrintTasks()
