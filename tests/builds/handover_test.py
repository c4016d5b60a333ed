#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: the loader's jump into the kernel overwrites no register that it still needs, whichever
compiler chose the registers: neither the jump's own operand nor what the kernel is handed."""
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from run.case import expect, run, run_tests

JUMPS = 2  # straight into the kernel, and through the code that leaves 5-level paging
JUMP = re.compile(r"\bcli\s*\n(.*?)jmp\s+\*%(\w+)", re.S)
WRITTEN = re.compile(r"(?:mov|xor)\w*\s+.*%(\w+)$", re.M)
WHOLE = {"ebp": "rbp", "eax": "rax", "ecx": "rcx", "edx": "rdx", "esi": "rsi", "edi": "rdi"}


def overwritten(assembly):
    """What is wrong with the jumps in a disassembly: a list of lines."""
    jumps = JUMP.findall(assembly)
    wrong = [] if len(jumps) == JUMPS else [f"{len(jumps)} jumps behind a CLI, expect {JUMPS}"]
    for steps, operand in jumps:
        lost = {WHOLE.get(register, register) for register in WRITTEN.findall(steps)}
        wrong += [f"{register} is overwritten" for register in lost & {operand, "rdi"}]
    return wrong


def disassembly(folder, compiler, optimise):
    out = folder.file("build")
    made = f"{out}/obj/boot/handover.o"
    words = [f"HOSTCC={compiler}", f"OPTIMISE={optimise}", f"BUILD={out}", "WERROR=1", made]
    status, text = run("make", "-s", *words)
    expect(status == 0, "make " + " ".join(words), text)
    status, text = run("objdump", "-d", "--no-show-raw-insn", made)
    expect(status == 0, "objdump", text)
    return text


def jump(compiler, optimise):
    def test(folder):
        if not shutil.which(compiler):
            return f"{compiler} is not installed"
        wrong = overwritten(disassembly(folder, compiler, optimise))
        expect(not wrong, "; ".join(wrong))
        return None

    return test


def notices(plant, line):
    """The same with a register that the steps before the jump have overwritten."""

    def test(folder):
        text = plant(disassembly(folder, "gcc", "-O2"))
        saw = overwritten(text)
        expect(saw == [line], f"expect {line!r}, saw {saw}", text)

    return test


run_tests(
    {
        "handover_jump_gcc_12_O2": jump("gcc-12", "-O2"),
        "handover_jump_gcc_12_O0": jump("gcc-12", "-O0"),
        "handover_jump_clang_14_O2": jump("clang-14", "-O2"),
        "handover_jump_clang_14_O0": jump("clang-14", "-O0"),
        "handover_jump notices an operand in rbp": notices(
            lambda text: re.sub(r"(xor +%ebp,%ebp\n.*\*)%rsi", r"\1%rbp", text),
            "rbp is overwritten",
        ),
        "handover_jump notices a lost argument": notices(
            lambda text: re.sub(r"%ebp,%ebp", "%edi,%edi", text), "rdi is overwritten"
        ),
    },
    jobs=1,
)
