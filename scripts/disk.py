# SPDX-License-Identifier: MIT
"""A disk with one partition: GPT, and a FAT32 EFI system partition that holds some files."""
import os
import shutil
import subprocess

SECTOR = 512
FIRST_SECTOR = 2048
GPT_TAIL_SECTORS = 34
MIN_FAT32_BYTES = 34 << 20
DISK_ID = "50454e55-4d42-5241-0000-000000000001"
PARTITION_ID = "50454e55-4d42-5241-0000-000000000002"
TOOLS = ("sgdisk", "mformat", "mmd", "mcopy")


class Failed(Exception):
    pass


def environment():
    """The tools may lie where only root looks. mtools would refuse a geometry that firmware
    takes."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return dict(os.environ, PATH=path, MTOOLS_SKIP_CHECK="1")


def run(*command):
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    if done.returncode:
        raise Failed(f"{command[0]} failed:\n{done.stdout.strip()}")


def check_tools():
    for tool in TOOLS:
        if not shutil.which(tool, path=environment()["PATH"]):
            raise Failed(f"{tool} is missing: run scripts/setup")


def folders(names):
    """The folders of these names, outer ones first."""
    found = set()
    for name in names:
        while name := os.path.dirname(name):
            found.add(name)
    return sorted(found)


def sectors_for(files):
    contents = sum(os.path.getsize(path) for path in files.values())
    wanted = max(MIN_FAT32_BYTES, contents + contents // 8 + (4 << 20))
    return -(-wanted // (1 << 20)) * 2048


def make(disk, files):
    """files: {name on the partition: path here}. Raises Failed or OSError."""
    check_tools()
    sectors = sectors_for(files)
    last = FIRST_SECTOR + sectors - 1
    with open(disk, "wb") as file:
        file.truncate((last + 1 + GPT_TAIL_SECTORS) * SECTOR)
    table = ["-n", f"1:{FIRST_SECTOR}:{last}", "-t", "1:ef00", "-c", "1:Penumbra"]
    run("sgdisk", *table, "-U", DISK_ID, "-u", PARTITION_ID, disk)
    at = ["-i", f"{disk}@@{FIRST_SECTOR * SECTOR}"]
    size = ["-T", str(sectors), "-h", "64", "-s", "32", "-H", str(FIRST_SECTOR)]
    run("mformat", *at, "-F", *size, "-N", "50454e55", "-v", "PENUMBRA")
    if folders(files):
        run("mmd", *at, *(f"::/{name}" for name in folders(files)))
    for name, path in files.items():
        run("mcopy", *at, path, f"::/{name}")
