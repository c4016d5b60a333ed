# SPDX-License-Identifier: MIT
"""One program on Penumbra and on Linux. Read in this order: command (what scripts/compare does),
side (one boot of one kernel, and what the program did there), debian (where Linux comes from), and
init.c, process 1 on both."""
