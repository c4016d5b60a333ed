# SPDX-License-Identifier: MIT
"""Stand-ins for emulators, which come first in PATH: no machine is booted here."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scripts"))

from run.case import Folder, expect, path, run, run_tests

__all__ = ["Fakes", "expect", "path", "run", "run_tests"]

STATUS = 7  # what init says in each stand-in's machine
VERDICT = f"init: exit status {STATUS}\\npower: off\\n"

# Reads its configuration as simply as can be, so that a path with a comma or # in it is not found.
BOCHS = r"""#!/bin/sh
case "$1 $2" in
"--help cpu") echo @MODEL@; exit ;;
"--help features") echo pci; exit ;;
"--help ") printf '  -n   no configuration file\n@RC_HELP@'; exit ;;
esac
while [ $# != 0 ]; do
    case $1 in
    -q) ;;
    -f) rc=$2; shift ;;
    -rc) commands=$2; shift; [ @DEBUGGER@ ] || {
        echo "00p[ ] >>PANIC<< command line arg '-rc' was not understood"; exit 1; } ;;
    esac
    shift
done
echo "$DISPLAY" >@FOLDER@/display
if [ @DEBUGGER@ ] && ! grep -qx c "$commands"; then exit 1; fi
disk=$(sed -n 's/^ata0-master:.*path=\([^,#]*\),.*/\1/p' "$rc")
serial=$(sed -n 's/^com1:.*dev=\([^,#]*\)$/\1/p' "$rc")
if [ ! -f "$disk" ]; then
    echo "00000000000p[IMG   ] >>PANIC<< r/o disk image doesn't exist" >log
    exec sleep 100
fi
@BOOT@
"""
BOCHS_BOOTS = f"printf '{VERDICT}' >\"$serial\"; exit 1"

# The serial line is an inherited socket, which a shell cannot write to by number.
QEMU = """#!{python}
import os, re, sys, time
if "--version" in sys.argv:
    sys.exit(print("QEMU emulator version {version}"))
if "help" in sys.argv:
    sys.exit(print("flags: {models}"))
with open("{folder}/arguments", "w") as file:
    file.write("\\n".join(sys.argv))
serial = int(re.search(r"fd=(\\d+)", " ".join(sys.argv)).group(1))
kvm = "kvm" in sys.argv
disk = re.search(r"file=([^, ]*),format=raw,if=ide", " ".join(sys.argv)).group(1)
if not os.path.isfile(disk):
    sys.exit("qemu: could not open " + disk)
{boot}
"""
QEMU_BOOTS = f'os.write(serial, b"{VERDICT}")'
QEMU_RUNS_ON = 'os.write(serial, b"running\\n"); time.sleep(100)'

# A host on which nothing keeps a KVM guest from having CET.
CET_HOST = {
    "proc/cpuinfo": "vendor_id\t: GenuineIntel\nflags\t\t: fpu vmx user_shstk ibt\n",
    "proc/sys/kernel/osrelease": "6.18.1-amd64\n",
    "dev/kvm": "",
    "sys/module/kvm_intel/parameters/ept": "Y\n",
    "sys/module/kvm_intel/parameters/unrestricted_guest": "Y\n",
    "sys/module/kvm_intel/parameters/allow_smaller_maxphyaddr": "N\n",
    "usr/share/ovmf/OVMF.fd": "\0" * (2 << 20),
}

DRIVER = """
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "scripts")
from emulator.command import main
sys.exit(main(sys.argv[2:], root=sys.argv[1]))
"""


class Fakes(Folder):
    """A folder that makes stand-ins, images that are none, and roots of other hosts."""

    def program(self, folder, name, text):
        os.makedirs(folder, exist_ok=True)
        made = os.path.join(folder, name)
        with open(made, "w") as file:
            file.write(text)
        os.chmod(made, 0o755)
        return folder

    def bochs(self, debugger=True, boot=BOCHS_BOOTS, model="tigerlake", folder=None):
        """A folder with a bochs, for PATH."""
        folder = folder or self.file("bin")
        text = BOCHS.replace("@DEBUGGER@", "yes" if debugger else "").replace("@BOOT@", boot)
        text = text.replace("@RC_HELP@", "  -rc filename   execute\\n" if debugger else "")
        text = text.replace("@FOLDER@", folder).replace("@MODEL@", model)
        return self.program(folder, "bochs", text)

    def qemu(self, boot=QEMU_BOOTS, version="11.0.0", models="cet-ss cet-ibt", folder=None):
        folder = folder or self.file("bin")
        text = QEMU.format(
            python=sys.executable, version=version, models=models, folder=folder, boot=boot
        )
        return self.program(folder, "qemu-system-x86_64", text)

    def image(self, name="test.img"):
        return self.write(name, "not looked at")

    def root(self, files):
        root = self.file("root")
        for name, text in files.items():
            made = os.path.join(root, name)
            os.makedirs(os.path.dirname(made), exist_ok=True)
            with open(made, "w") as file:
                file.write(text)
        return root

    def emulate(self, *words, bin=None, root=None, env=None):
        """(status, text) of scripts/emulate with what bin holds first in PATH; root: of a host."""
        env = dict(env or {})
        if bin:
            env["PATH"] = bin + ":" + os.environ["PATH"]
        if root:
            return run(sys.executable, "-c", DRIVER, root, *words, env=env)
        return run("scripts/emulate", *words, env=env)


def says(result, status, *words):
    """Expects a status, and each of these words in what was said."""
    saw, text = result
    expect(saw == status, f"expect status {status}, saw {saw}", text)
    for part in words + ("",):
        expect(part in text, f"expect {part!r}", text)
    expect("Traceback" not in text, "expect no traceback", text)
