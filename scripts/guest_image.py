# SPDX-License-Identifier: BSD-2-Clause
"""Turns a Debian kernel package and the agent into a guest that QEMU can boot.

Used by scripts/guest, in two steps, each cached by what it is made of:

    kernel   unpacked package -> kernel, its needed modules (decompressed), kernel.json
    bundle   those and the agent -> kernel, initramfs.cpio, guest.json

Nothing here needs root: device nodes exist only as entries of the archive.
"""

import argparse
import hashlib
import json
import lzma
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

# What the Python side may want to know of a kernel before it boots it.
INTERESTING_CONFIG = (
    "PREEMPT_RT",
    "RPMSG_VIRTIO",
    "RPMSG_CHAR",
    "RPMSG_CTRL",
    "RPMSG_NS",
    "RPMSG_TTY",
    "SAMPLES",
    "SAMPLE_RPMSG_CLIENT",
    "VIRTIO_PCI",
    "VIRTIO_MMIO",
    "VIRTIO_CONSOLE",
    "PCIEPORTBUS",
    "HOTPLUG_PCI",
    "HOTPLUG_PCI_PCIE",
    "HOTPLUG_PCI_SHPC",
    "HOTPLUG_PCI_ACPI",
    "ACPI",
    "MODULE_SIG_FORCE",
    "DEBUG_ATOMIC_SLEEP",
    "PROVE_LOCKING",
    "KASAN",
)

# An emulated guest's clock goes on while a busy machine gives QEMU no time: then its kernel takes itself to
# have stood still, and says so. Those that do stand still are noticed by the suite.
UNTIMED = "rcupdate.rcu_cpu_stall_suppress=1 nowatchdog"

AGENT_DIR = "etc/rpmsg-agent"
MODULE_DIR = "lib/modules"


class ImageError(Exception):
    """Something that the person who called has to know about; one line."""


def load_guest(path: Path) -> dict[str, Any]:
    """Reads a guest's description (scripts/guests/NAME.toml)."""
    with path.open("rb") as file:
        return tomllib.load(file)


# ---- modules ----


def module_name(path: str) -> str:
    """The kernel's name of a module file: rpmsg_core of .../rpmsg-core.ko.xz."""
    return Path(path).name.split(".ko")[0].replace("-", "_")


def decompress_module(path: Path) -> bytes:
    """The plain ELF file, however the distribution has packed it."""
    match path.suffix:
        case ".ko":
            return path.read_bytes()
        case ".xz":
            return lzma.decompress(path.read_bytes())
        case ".zst":
            return subprocess.run(
                ["zstd", "-dcq", str(path)], check=True, stdout=subprocess.PIPE
            ).stdout
        case other:
            raise ImageError(f"{path}: modules packed as {other} are not supported")


def module_dependencies(elf: bytes) -> list[str]:
    """What .modinfo says under depends=; names, in the file's order."""
    found = re.search(rb"\0depends=([^\0]*)\0", elf)
    if found is None:
        raise ImageError("a module without depends= in its .modinfo")
    return [name.replace("-", "_") for name in found.group(1).decode().split(",") if name]


class ModuleTree:
    """The folder lib/modules/RELEASE of an unpacked kernel package."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files = {
            module_name(path.name): path
            for path in root.rglob("*")
            if ".ko" in path.suffixes and path.is_file()
        }
        listing = root / "modules.builtin"
        self._builtin = {module_name(line) for line in listing.read_text().split()}
        self._elf: dict[str, bytes] = {}

    def builtin(self, name: str) -> bool:
        return name in self._builtin

    def shipped(self, name: str) -> bool:
        return name in self._files

    def elf(self, name: str) -> bytes:
        """A module's plain file; raises ImageError when the kernel has no such module."""
        if name not in self._elf:
            if name not in self._files:
                raise ImageError(f"the kernel in {self.root} has no module {name}")
            self._elf[name] = decompress_module(self._files[name])
        return self._elf[name]

    def load_order(self, wanted: Iterable[str], loaded: Iterable[str] = ()) -> list[str]:
        """The wanted modules in their order, each after what it needs.

        Built-in ones, and those already loaded, are left out.
        """
        order: list[str] = []
        done = set(loaded)

        def visit(name: str) -> None:
            if name in done or self.builtin(name):
                return
            done.add(name)
            for needed in module_dependencies(self.elf(name)):
                visit(needed)
            order.append(name)

        for name in wanted:
            visit(name)
        return order


# ---- kernel ----


def read_config(path: Path) -> dict[str, str]:
    """y, m, n or the value of each option in INTERESTING_CONFIG."""
    found = dict(re.findall(r"^CONFIG_(\w+)=(.*)$", path.read_text(), re.MULTILINE))
    return {name: found.get(name, "n") for name in INTERESTING_CONFIG}


def make_kernel(guest: dict[str, Any], unpacked: Path, out: Path, package: str, version: str) -> None:
    """Takes what a guest needs out of an unpacked kernel package into the folder out."""
    images = sorted((unpacked / "boot").glob("vmlinuz-*"))
    if len(images) != 1:
        raise ImageError(f"{package}: expected one boot/vmlinuz-*, found {len(images)}")
    release = images[0].name.removeprefix("vmlinuz-")
    trees = [
        path
        for path in (unpacked / "usr/lib/modules" / release, unpacked / "lib/modules" / release)
        if path.is_dir()
    ]
    if not trees:
        raise ImageError(f"{package}: no folder lib/modules/{release}")
    tree = ModuleTree(trees[0])

    names = guest["modules"]
    boot = tree.load_order(names["boot"])
    rpmsg = tree.load_order(names["rpmsg"], boot)
    optional = tree.load_order(filter(tree.shipped, names["optional"]), boot + rpmsg)

    (out / "modules").mkdir(parents=True)
    shutil.copyfile(images[0], out / "kernel")
    for name in boot + rpmsg + optional:
        (out / "modules" / f"{name}.ko").write_bytes(tree.elf(name))
    everything = [*names["boot"], *names["rpmsg"], *names["optional"]]
    facts = {
        "kernel_release": release,
        "package": package,
        "package_version": version,
        "boot_modules": boot,
        "rpmsg_modules": rpmsg,
        "optional_modules": optional,
        "builtin_modules": [name for name in everything if tree.builtin(name)],
        "config": read_config(unpacked / "boot" / f"config-{release}"),
    }
    (out / "kernel.json").write_text(json.dumps(facts, indent=2) + "\n")


def other_kernel(image: Path, out: Path) -> None:
    """As make_kernel, of an image of which nothing else is known."""
    out.mkdir(parents=True)
    shutil.copyfile(image, out / "kernel")
    facts = {
        "kernel_release": image.name,
        "package": str(image),
        "package_version": hashlib.sha256(image.read_bytes()).hexdigest()[:12],
        "boot_modules": [],
        "rpmsg_modules": [],
        "optional_modules": [],
        "builtin_modules": [],
        "config": {},
    }
    (out / "kernel.json").write_text(json.dumps(facts, indent=2) + "\n")


# ---- initramfs ----


@dataclass(frozen=True)
class Entry:
    """One file of an archive; mode includes the type."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def directory(name: str) -> Entry:
    return Entry(name, stat.S_IFDIR | 0o755)


def regular(name: str, data: bytes, permissions: int = 0o644) -> Entry:
    return Entry(name, stat.S_IFREG | permissions, data)


def character(name: str, major: int, minor: int, permissions: int) -> Entry:
    return Entry(name, stat.S_IFCHR | permissions, device=(major, minor))


def write_cpio(entries: Iterable[Entry], file: BinaryIO) -> None:
    """Writes a newc archive, the form that Linux unpacks as an initramfs.

    Owner root and time 0 throughout, so that the same contents give the same bytes.
    Source: Documentation/driver-api/early-userspace/buffer-format.rst of Linux.
    """

    def record(inode: int, entry: Entry) -> None:
        name = entry.name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name
        for part in (header, entry.data):
            file.write(part + b"\0" * (-len(part) % 4))

    for number, entry in enumerate(entries, 1):
        record(number, entry)
    record(0, Entry("TRAILER!!!", 0))


def initramfs_entries(agent: bytes, modules: dict[str, bytes], lists: dict[str, list[str]]) -> Iterator[Entry]:
    """The whole userspace: the agent as /init, the modules and the lists that name them.

    modules maps a name to its file's contents, lists the name of a file in /etc/rpmsg-agent to
    the module paths in it.
    """
    for name in ("dev", "proc", "sys", "tmp", "etc", AGENT_DIR, "lib", MODULE_DIR):
        yield directory(name)
    yield character("dev/console", 5, 1, 0o600)
    yield character("dev/null", 1, 3, 0o666)
    yield character("dev/kmsg", 1, 11, 0o600)
    yield regular("init", agent, 0o755)
    for module, data in modules.items():
        yield regular(f"{MODULE_DIR}/{module}.ko", data)
    for listing, paths in lists.items():
        yield regular(f"{AGENT_DIR}/{listing}", "".join(f"{path}\n" for path in paths).encode())


def added_entries(folder: Path) -> Iterator[Entry]:
    """The folders, files and symbolic links in a folder, under their names there.

    They come after the archive's own: of two with one name the kernel keeps the later.
    """
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        status = path.lstat()
        if stat.S_ISDIR(status.st_mode):
            yield directory(name)
        elif stat.S_ISLNK(status.st_mode):
            yield Entry(name, stat.S_IFLNK | 0o777, os.fsencode(os.readlink(path)))
        elif stat.S_ISREG(status.st_mode):
            yield regular(name, path.read_bytes(), stat.S_IMODE(status.st_mode) & 0o755)
        else:
            raise ImageError(f"{path}: only files, folders and symbolic links can be added")


def make_bundle(
    name: str,
    guest: dict[str, Any],
    kernel: Path,
    agent: Path,
    device: str,
    out: Path,
    added: Path | None = None,
    first: Sequence[Path] = (),
) -> None:
    """Joins a folder made by make_kernel and the agent into a bundle in the folder out.

    The files in the folder added are put into its initramfs, too; the modules in first are loaded
    before all others.
    """
    facts = json.loads((kernel / "kernel.json").read_text())
    facts["boot_modules"] = [path.stem for path in first] + facts["boot_modules"]
    own = {path.stem: path for path in first}
    machine = guest["machine"]

    def paths(group: str) -> list[str]:
        return [f"/{MODULE_DIR}/{module}.ko" for module in facts[group]]

    groups = ("boot_modules", "rpmsg_modules", "optional_modules")
    modules = {
        module: own.get(module, kernel / "modules" / f"{module}.ko").read_bytes()
        for group in groups
        for module in facts[group]
    }
    lists = {"modules": paths("boot_modules"), "rpmsg-modules": paths("rpmsg_modules")}

    out.mkdir(parents=True)
    try:
        os.link(kernel / "kernel", out / "kernel")
    except OSError:
        shutil.copyfile(kernel / "kernel", out / "kernel")
    with (out / "initramfs.cpio").open("wb") as file:
        entries = initramfs_entries(agent.read_bytes(), modules, lists)
        write_cpio([*entries, *(added_entries(added) if added else ())], file)
    description = {
        "name": name,
        "description": guest["description"],
        "arch": machine["arch"],
        "kernel_release": facts["kernel_release"],
        "package": facts["package"],
        "package_version": facts["package_version"],
        "qemu": machine["qemu"],
        "machine": machine["args"],
        "append": f"{machine['append']} {UNTIMED}",
        "hot_plug": machine.get("hot_plug", True),
        "slots": machine.get("slots", "root-ports"),
        "devices_at_boot": machine.get("devices_at_boot", True),
        "mmio": {"machine": machine["mmio_args"]} if "mmio_args" in machine else None,
        "memory_mb": machine["memory_mb"],
        "slowness": machine.get("slowness", 1),
        "device": device,
        "kernel": "kernel",
        "initramfs": "initramfs.cpio",
        "modules": paths("boot_modules") + paths("rpmsg_modules"),
        "boot_modules": paths("boot_modules"),
        "rpmsg_modules": paths("rpmsg_modules"),
        "optional_modules": paths("optional_modules"),
        "builtin_modules": facts["builtin_modules"],
        "samples": "rpmsg_client_sample" in facts["optional_modules"],
        "config": facts["config"],
    }
    (out / "guest.json").write_text(json.dumps(description, indent=2) + "\n")


def bundle_key(
    guest: Path,
    kernel: Path,
    agent: Path,
    device: str,
    added: Path | None = None,
    first: Sequence[Path] = (),
) -> str:
    """Names a bundle by everything that goes into it, this program included."""
    digest = hashlib.sha256(device.encode())
    for path in (Path(__file__), guest, kernel / "kernel.json", agent, *first):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    if added:
        for entry in added_entries(added):
            digest.update(repr((entry.name, entry.mode)).encode())
            digest.update(hashlib.sha256(entry.data).digest())
    return f"{kernel.name}-{digest.hexdigest()[:12]}"


def describe(guest: dict[str, Any]) -> list[str]:
    """What scripts/guest has to know, in the order in which it reads it.

    A [package] is one of Debian's kernels, a [source] is built here with the fragments in its configs
    and the variables for make that are in its make, which are told apart by their equals sign.
    """
    machine = guest["machine"]
    ends = [machine["agent"], machine["qemu"]]
    if "package" in guest:
        package = guest["package"]
        return ["package", package["name"], package["suite"], package["arch"], *ends, "-"]
    source = guest["source"]
    kernel = ["source", source["name"], source["suite"], source["arch"]]
    return [*kernel, *ends, source.get("cross") or "-", *source["configs"], *source.get("make", [])]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="guest_image.py", description=__doc__.splitlines()[0])
    parser.add_argument("--guest", type=Path, required=True, help="scripts/guests/NAME.toml")
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("describe", help="print package, suite, architecture, agent, QEMU program")
    kernel = steps.add_parser("kernel")
    kernel.add_argument("--unpacked", type=Path, required=True)
    kernel.add_argument("--package", required=True)
    kernel.add_argument("--package-version", required=True)
    kernel.add_argument("--out", type=Path, required=True)
    steps.add_parser("built-modules", help="print the modules of ours that it loads first")
    other = steps.add_parser("other")
    other.add_argument("--image", type=Path, required=True)
    other.add_argument("--out", type=Path, required=True)
    for step in ("key", "bundle"):
        bundle = steps.add_parser(step)
        bundle.add_argument("--kernel", type=Path, required=True)
        bundle.add_argument("--agent", type=Path, required=True)
        bundle.add_argument("--device", required=True)
        bundle.add_argument("--add", type=Path)
        bundle.add_argument("--module", type=Path, action="append", default=[])
        if step == "bundle":
            bundle.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)

    guest = load_guest(options.guest)
    match options.step:
        case "describe":
            print(*describe(guest))
        case "built-modules":
            print(*guest["modules"].get("built", []))
        case "kernel":
            make_kernel(guest, options.unpacked, options.out, options.package, options.package_version)
        case "key":
            print(
                bundle_key(
                    options.guest,
                    options.kernel,
                    options.agent,
                    options.device,
                    options.add,
                    options.module,
                )
            )
        case "other":
            other_kernel(options.image, options.out)
        case "bundle":
            make_bundle(
                options.guest.stem,
                guest,
                options.kernel,
                options.agent,
                options.device,
                options.out,
                options.add,
                options.module,
            )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ImageError, OSError) as error:
        sys.exit(f"guest_image.py: {error}")
