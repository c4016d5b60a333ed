# SPDX-License-Identifier: MIT
"""Can a KVM guest have CET here? look() gathers what there is to know, lacks() decides, and
touches nothing."""
import os
import re
import shutil
from collections import namedtuple

from emulator.firmware import below
from emulator.process import output_of

QEMU = "qemu-system-x86_64"
LINUX_WITH_CET = (6, 18)
QEMU_WITH_CET = (11, 0)

# vendor, flags: of /proc/cpuinfo.  release: the host kernel's, as numbers.  device: "", or why
# /dev/kvm cannot be used. parameters: of the modules kvm, kvm_intel and kvm_amd, as True or False.
# qemu: its version, or None. models: the words of `-cpu help`.
Host = namedtuple("Host", "vendor flags release device parameters qemu models")


def dotted(version):
    return ".".join(str(part) for part in version)


def qemu_version(text):
    found = re.search(r"version (\d+)\.(\d+)", text)
    return (int(found.group(1)), int(found.group(2))) if found else None


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def module_parameters(root):
    found = {}
    for module in ("kvm", "kvm_intel", "kvm_amd"):
        folder = below(root, f"/sys/module/{module}/parameters")
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            found[name] = read(os.path.join(folder, name)).strip() in ("Y", "1")
    return found


def device_trouble(root):
    path = below(root, "/dev/kvm")
    if not os.path.exists(path):
        return "there is no /dev/kvm"
    return "" if os.access(path, os.R_OK | os.W_OK) else "/dev/kvm may not be opened by this user"


def look(root="/"):
    """The Host below root, with the QEMU of PATH."""
    cpu = read(below(root, "/proc/cpuinfo"))
    vendor = re.search(r"^vendor_id\s*: *(\S+)", cpu, re.M)
    flags = re.search(r"^flags\s*:(.*)", cpu, re.M)
    here = shutil.which(QEMU)
    return Host(
        vendor=vendor.group(1) if vendor else "",
        flags=frozenset(flags.group(1).split() if flags else ()),
        release=tuple(
            map(int, re.findall(r"\d+", read(below(root, "/proc/sys/kernel/osrelease")))[:2])
        ),
        device=device_trouble(root),
        parameters=module_parameters(root),
        qemu=qemu_version(output_of(QEMU, "--version")) if here else None,
        models=frozenset(re.findall(r"[\w-]+", output_of(QEMU, "-cpu", "help")))
        if here
        else frozenset(),
    )


def lacks(host):
    """Everything that keeps a KVM guest from having CET here, in words; empty when nothing does."""
    found = [host.device] if host.device else []
    if "user_shstk" not in host.flags:
        found.append("/proc/cpuinfo has no user_shstk (the CPU, or its kernel's configuration)")
    if host.release < LINUX_WITH_CET:
        found.append(
            f"the host's Linux {dotted(host.release)} is older than {dotted(LINUX_WITH_CET)}"
        )
    return found + qemu_lacks(host) + parameters_lack(host)


def qemu_lacks(host):
    if "cet-ss" in host.models:
        return []
    if host.qemu is None:
        return [f"there is no {QEMU}"]
    if host.qemu < QEMU_WITH_CET:
        return [f"QEMU {dotted(host.qemu)} is older than {dotted(QEMU_WITH_CET)}"]
    return [f"QEMU {dotted(host.qemu)} knows no cet-ss"]


def parameters_lack(host):
    """KVM gives CET only with the CPU's own second level of paging. A parameter that cannot be
    read is not held against it: then the module is not there, and /dev/kvm is missing as well."""
    needed = ["npt"] if host.vendor == "AuthenticAMD" else ["ept", "unrestricted_guest"]
    found = [f"KVM runs with {name}=N" for name in needed if not host.parameters.get(name, True)]
    if host.parameters.get("allow_smaller_maxphyaddr", False):
        found.append("KVM runs with allow_smaller_maxphyaddr=Y")
    return found


def cpu_option(host):
    """-cpu host, with the guest's CET asked for where this QEMU knows it. AMD has no branch
    tracking."""
    wanted = ["cet-ss"] if host.vendor == "AuthenticAMD" else ["cet-ss", "cet-ibt"]
    return ",".join(["host"] + [f"{flag}=on" for flag in wanted if flag in host.models])
