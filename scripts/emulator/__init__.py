# SPDX-License-Identifier: MIT
"""Booting an image in an emulator. Read in this order: command (what scripts/emulate does), choose
and kvm (which emulator), process and bochs or qemu (one running machine), serial and watch (its
serial line, and when it is over)."""
