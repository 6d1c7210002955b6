# SPDX-License-Identifier: BSD-2-Clause
"""scripts/guest_image.py on made-up kernel packages."""

import io
import json
import lzma
import stat
from pathlib import Path

import guest_image
import pytest
from guest_image import Entry, ImageError, ModuleTree

RELEASE = "6.12.0-test"

#: Module -> what it depends on.
MODULES = {
    "virtio_mmio": "",
    "rpmsg-core": "",
    "rpmsg_ns": "rpmsg_core",
    "rpmsg_char": "rpmsg_core",
    "rpmsg_ctrl": "rpmsg_core,rpmsg_char",
    "virtio_rpmsg_bus": "rpmsg_core,rpmsg_ns",
}


def elf(depends: str) -> bytes:
    return b"\x7fELF junk\0license=GPL\0depends=" + depends.encode() + b"\0vermagic=x\0"


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """A kernel package as dpkg-deb would unpack it."""
    root = tmp_path / "unpacked"
    tree = root / "usr/lib/modules" / RELEASE
    (tree / "kernel").mkdir(parents=True)
    for name, depends in MODULES.items():
        (tree / "kernel" / f"{name}.ko.xz").write_bytes(lzma.compress(elf(depends)))
    (tree / "modules.builtin").write_text("kernel/drivers/virtio/virtio_pci.ko\n")
    (root / "boot").mkdir()
    (root / "boot" / f"vmlinuz-{RELEASE}").write_bytes(b"the kernel")
    (root / "boot" / f"config-{RELEASE}").write_text("CONFIG_PREEMPT_RT=y\n# CONFIG_HOTPLUG_PCI is not set\n")
    return root


@pytest.fixture
def tree(unpacked: Path) -> ModuleTree:
    return ModuleTree(unpacked / "usr/lib/modules" / RELEASE)


@pytest.fixture
def guest() -> dict[str, object]:
    return {
        "description": "made up",
        "machine": {
            "arch": "arm",
            "qemu": "qemu-system-arm",
            "args": ["-machine", "virt"],
            "append": "console=ttyAMA0",
            "memory_mb": 64,
        },
        "modules": {
            "boot": ["virtio_pci", "virtio_mmio"],
            "rpmsg": ["rpmsg_ctrl", "virtio_rpmsg_bus"],
            "optional": ["rpmsg_client_sample"],
        },
    }


def read_cpio(data: bytes) -> dict[str, Entry]:
    """A reader of newc of its own, from the format's description."""
    entries: dict[str, Entry] = {}
    at = 0
    while True:
        assert at % 4 == 0
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        at += 110
        name = data[at : at + fields[11] - 1].decode()
        assert data[at + fields[11] - 1] == 0
        at = (at + fields[11] + 3) // 4 * 4
        content = data[at : at + fields[6]]
        at = (at + fields[6] + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert at == len(data)
            return entries
        entries[name] = Entry(name, fields[1], content, (fields[9], fields[10]))


def test_modules_come_after_what_they_need(tree: ModuleTree) -> None:
    order = tree.load_order(["rpmsg_ctrl", "virtio_rpmsg_bus"])
    assert order == ["rpmsg_core", "rpmsg_char", "rpmsg_ctrl", "rpmsg_ns", "virtio_rpmsg_bus"]


def test_modules_keep_the_wanted_order(tree: ModuleTree) -> None:
    wanted = ["rpmsg_core", "rpmsg_ns", "rpmsg_char", "rpmsg_ctrl", "virtio_rpmsg_bus"]
    assert tree.load_order(wanted) == wanted


def test_modules_built_in_or_loaded_are_left_out(tree: ModuleTree) -> None:
    assert tree.load_order(["virtio_pci", "rpmsg_ns"], ["rpmsg_core"]) == ["rpmsg_ns"]


def test_modules_missing_one_is_an_error_with_its_name(tree: ModuleTree) -> None:
    with pytest.raises(ImageError, match="no module rpmsg_tty"):
        tree.load_order(["rpmsg_tty"])


def test_modules_packed_in_an_unknown_way_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.ko.lz4"
    path.write_bytes(b"")
    with pytest.raises(ImageError, match="packed as .lz4"):
        guest_image.decompress_module(path)


def test_cpio_gives_back_what_was_put_in() -> None:
    entries = [
        guest_image.directory("dev"),
        guest_image.character("dev/console", 5, 1, 0o600),
        guest_image.regular("init", b"abc", 0o755),
        guest_image.regular("empty", b""),
    ]
    file = io.BytesIO()
    guest_image.write_cpio(entries, file)
    assert list(read_cpio(file.getvalue()).values()) == entries


def test_kernel_and_bundle_hold_what_the_guest_needs(
    guest: dict[str, object], unpacked: Path, tmp_path: Path
) -> None:
    kernel, bundle, agent = tmp_path / "kernel", tmp_path / "bundle", tmp_path / "agent"
    agent.write_bytes(b"the agent")
    guest_image.make_kernel(guest, unpacked, kernel, "linux-image-test", "1-1")
    guest_image.make_bundle("made-up", guest, kernel, agent, "vhost-user-test-device-pci", bundle)

    files = read_cpio((bundle / "initramfs.cpio").read_bytes())
    assert (bundle / "kernel").read_bytes() == b"the kernel"
    assert files["init"] == Entry("init", stat.S_IFREG | 0o755, b"the agent")
    assert files["dev/console"].device == (5, 1)
    assert files["etc/rpmsg-agent/modules"].data == b"/lib/modules/virtio_mmio.ko\n"
    rpmsg = files["etc/rpmsg-agent/rpmsg-modules"].data.decode().split()
    assert rpmsg[-1] == "/lib/modules/virtio_rpmsg_bus.ko"
    assert all(files[path.lstrip("/")].data.startswith(b"\x7fELF") for path in rpmsg)

    facts = json.loads((bundle / "guest.json").read_text())
    assert facts["modules"] == ["/lib/modules/virtio_mmio.ko", *rpmsg]
    assert facts["kernel_release"] == RELEASE
    assert facts["package_version"] == "1-1"
    assert facts["samples"] is False
    assert facts["builtin_modules"] == ["virtio_pci"]
    assert facts["config"]["PREEMPT_RT"] == "y"
    assert facts["config"]["HOTPLUG_PCI"] == "n"


def test_bundle_key_changes_with_the_agent(unpacked: Path, guest: dict[str, object], tmp_path: Path) -> None:
    kernel, agent, description = tmp_path / "kernel", tmp_path / "agent", tmp_path / "made-up.toml"
    description.write_text("")
    guest_image.make_kernel(guest, unpacked, kernel, "linux-image-test", "1-1")
    agent.write_bytes(b"one")
    first = guest_image.bundle_key(description, kernel, agent, "x")
    assert guest_image.bundle_key(description, kernel, agent, "x") == first
    agent.write_bytes(b"two")
    assert guest_image.bundle_key(description, kernel, agent, "x") != first


def test_image_files_are_added_after_the_own_ones(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hello").write_text("hi")
    (tmp_path / "etc/link").symlink_to("hello")
    entries = {entry.name: entry for entry in guest_image.added_entries(tmp_path)}
    assert list(entries) == ["etc", "etc/hello", "etc/link"]
    assert entries["etc/hello"].data == b"hi"
    assert stat.S_ISLNK(entries["etc/link"].mode) and entries["etc/link"].data == b"hello"


def test_image_every_guest_is_described_whole() -> None:
    folder = Path(guest_image.__file__).parent / "guests"
    for path in folder.glob("*.toml"):
        kind, *_, cross = guest_image.describe(guest_image.load_guest(path))[:7]
        assert kind in ("package", "source") and cross
        for word in guest_image.describe(guest_image.load_guest(path))[7:]:
            assert "=" in word or (folder / word).is_file()
