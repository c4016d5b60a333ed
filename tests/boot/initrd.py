#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves: a cpio archive that Linux takes as an initrd is unpacked whole; what cannot be unpacked
is reported."""
from boot import BUSYBOX, Boot, run_tests

FILE, FOLDER, LINK, DEVICE = 0o100644, 0o40755, 0o120777, 0o20666


def entry(name, mode, data=b"", inode=0, links=1, magic=b"070701", total=None):
    """One entry of an archive. total replaces the right checksum."""
    encoded = name.encode() + b"\0"
    total = sum(data) if total is None else total
    numbers = [inode, mode, 0, 0, links, 0, len(data), 0, 1, 0, 0, len(encoded), total]
    head = magic + b"".join(b"%08x" % number for number in numbers) + encoded
    return padded(padded(head, 4) + data, 4)


def padded(data, to):
    return data + b"\0" * (-len(data) % to)


END = entry("TRAILER!!!", 0)


def base(boots, script):
    """The bytes of an archive in which busybox's shell runs script."""
    name = boots.initrd({"bin/busybox": BUSYBOX, "script": boots.write("script", script)})
    with open(name, "rb") as file:
        return file.read()


def boot(boots, script, behind, *options):
    initrd = boots.file("whole.cpio")
    with open(initrd, "wb") as file:
        file.write(base(boots, script) + behind)
    image = boots.image("init=/bin/busybox -- sh /script", initrd=initrd)
    return Boot("qemu", image, *options, timeout=100)


def hard_links(boots):
    names = [entry(name, FILE, inode=5, links=3) for name in ("one", "two")]
    names += [entry("three", FILE, b"shared\n", 5, 3), entry("alone", FILE, b"alone\n", 5, 1), END]
    ran = boot(
        boots,
        "b=/bin/busybox; $b cat /one /two /three /alone; $b stat -c 'links %h' /one",
        b"".join(names),
    )
    ran.expect_text(r"^shared\nshared\nshared\nalone\n")
    ran.expect_text(r"^links 3$")


def second_archive(boots):
    """A second archive follows zeros, as Linux allows; the last entry of a name wins."""
    first = entry("a", FILE, b"first\n") + entry("b", LINK, b"a") + END
    second = entry("a", FILE, b"second\n") + entry("b", FOLDER) + entry("b/c", FILE, b"c\n") + END
    ran = boot(boots, "b=/bin/busybox; $b cat /a /b/c", padded(first, 512) + second)
    ran.expect_text(r"^second\nc\n")


def checksums(boots):
    crc = b"070702"
    good = entry("good", FILE, b"good\n", magic=crc)
    bad = entry("bad", FILE, b"bad\n", magic=crc, total=1)
    ran = boot(boots, "b=/bin/busybox; $b cat /good; [ -e /bad ] || echo no bad", good + bad + END)
    ran.expect_text(r"^initrd: bad: damaged: its checksum does not match$")
    ran.expect_text(r"^good$")
    ran.expect_text(r"^no bad$")


def left_out(boots):
    """Device nodes are left out, and so is what follows the archive without being one."""
    devices = entry("dev", FOLDER) + entry("dev/sda", DEVICE) + entry("dev/null", FILE, b"x") + END
    ran = boot(boots, "echo lost > /dev/null; echo there", devices + b"\x1f\x8b\x08\x00 is gzip's")
    ran.expect_text(r"^initrd: 2 device nodes are left out")
    ran.expect_text(r"^initrd: 14 bytes behind the archive are not a cpio archive")
    ran.expect_text(r"^there$")


def too_large(boots):
    """A file that does not fit is named, and no part of it is left."""
    large = entry("large", FILE, b"\0" * (126 << 20)) + END
    ran = boot(boots, "[ -e /large ] || echo no large", large, "--mem", "256")
    ran.expect_text(r"^initrd: large: out of memory: what the initrd holds does not fit")
    ran.expect_text(r"^no large$")


run_tests(
    {
        "initrd_hard_links_share_their_contents": hard_links,
        "initrd_second_archive_is_read_and_the_last_name_wins": second_archive,
        "initrd_checksums_are_checked": checksums,
        "initrd_says_what_it_leaves_out": left_out,
        "initrd_that_does_not_fit_says_so": too_large,
    }
)
