#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nm -n on stdin -> C source of the kernel's symbol table for base/symbols.h on stdout."""
import sys

start = None
functions = []
for line in sys.stdin:
    parts = line.split()
    if len(parts) != 3:
        continue
    address, kind, name = int(parts[0], 16), parts[1], parts[2]
    if name == "__kernel_start":
        start = address
    if kind in "tT" and not name.startswith("__") and "." not in name.split(".")[0]:
        functions.append((address, name))
if start is None or not functions:
    sys.exit("symbols.py: no __kernel_start or no functions in the input")

names, offsets, text = {}, [], ""
print('#include "base/symbols.h"')
print('#define SYMBOLS __attribute__((section(".rodata.symbols"), used))')
for address, name in functions:
    offsets.append((address - start, len(text)))
    text += name + "\0"
print("const struct symbol symbol_table[] SYMBOLS = {")
for offset, name_at in offsets:
    print(f"    {{ {offset:#x}u, {name_at}u }},")
print("};")
print(f"const uint32_t symbol_count SYMBOLS = {len(offsets)};")
print("const char symbol_names[] SYMBOLS =")
for _, name in functions:
    print(f'    "{name}\\0"')
print("    ;")
