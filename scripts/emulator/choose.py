# SPDX-License-Identifier: MIT
"""Which emulator: the one asked for, or the best of those that are here, in order."""
from emulator import bochs, kvm
from emulator.bochs import Bochs
from emulator.qemu import Kvm, Qemu


def candidates(args):
    """Pairs of a machine and why. When one cannot run the guest, the next is tried; one asked for
    is alone."""
    for machine in (Bochs, Qemu, Kvm):
        if getattr(args, machine.name):
            return [(machine, "")]
    lacks = kvm.lacks(kvm.look(args.root))
    without = f"KVM cannot give the guest CET: {'; '.join(lacks)}" if lacks else ""
    found = []
    if not lacks:
        found.append((Kvm, "KVM: host CPU, host kernel and QEMU give the guest CET"))
    if bochs.usable(args.root):
        found.append((Bochs, ". ".join(filter(None, ["Bochs: enforces CET for real", without]))))
    text = "QEMU without CET, shadow-stack steps will SKIP: no Bochs with an OVMF of 2 MiB is here"
    return found + [(Qemu, ". ".join(filter(None, [text, without])))]
