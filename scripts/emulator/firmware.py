# SPDX-License-Identifier: MIT
"""Which OVMF firmware is installed, and of what kind."""
import os
from collections import namedtuple

# code: the file; variables: the file beside it that holds the variables' initial contents, or None
# when code is a whole flash image.
Firmware = namedtuple("Firmware", "code variables")

WHOLE = ["/usr/share/ovmf/OVMF.fd", "/usr/share/qemu/OVMF.fd", "/usr/share/OVMF/OVMF.fd"]
SPLIT = [
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"),
    ("/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"),
]
BOCHS_BYTES = 2 << 20  # the larger ones do not boot there


def for_bochs(root="/"):
    """A whole flash image of 2 MiB; None when there is none."""
    paths = (below(root, path) for path in WHOLE)
    return next(
        (path for path in paths if os.path.exists(path) and os.path.getsize(path) == BOCHS_BYTES),
        None,
    )


def for_qemu(root="/"):
    """A Firmware; None when there is none. A split one needs both of its files."""
    for path in WHOLE:
        if os.path.exists(below(root, path)):
            return Firmware(below(root, path), None)
    for code, variables in SPLIT:
        if os.path.exists(below(root, code)) and os.path.exists(below(root, variables)):
            return Firmware(below(root, code), below(root, variables))
    return None


def below(root, path):
    return os.path.join(root, path.lstrip("/"))
