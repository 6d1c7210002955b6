# SPDX-License-Identifier: BSD-2-Clause
"""Guests that differ from the shipped ones: transport, kernel, initramfs, no agent."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from rpmsg_conformance import other_guest
from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.guest import load_bundle

DESCRIPTION: dict[str, object] = {
    "name": "fake",
    "arch": "arm",
    "kernel_release": "0",
    "qemu": "qemu-system-arm",
    "machine": ["-machine", "virt"],
    "append": "quiet",
    "memory_mb": 64,
    "device": "vhost-user-test-device-pci",
    "modules": [],
    "package": "linux-image-fake",
    "package_version": "1",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle that looks right, with both transports."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    mmio: object = {"machine": ["-machine", "microvm"]}
    description = {**DESCRIPTION, "mmio": mmio}
    (folder / "guest.json").write_text(json.dumps(description))
    (folder / "kernel").write_text("")
    (folder / "initramfs.cpio").write_text("")
    return folder


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    other_guest.add_options(parser)
    return parser.parse_args(arguments)


def test_other_guest_over_mmio_has_another_machine_and_no_hot_plug(bundle: Path) -> None:
    over_pci, over_mmio = load_bundle(bundle), load_bundle(bundle, "mmio")
    assert over_pci.hot_plug and over_pci.device == "vhost-user-test-device-pci"
    assert not over_mmio.hot_plug and over_mmio.device == "vhost-user-test-device"
    assert over_mmio.machine == ("-machine", "microvm")


def test_other_guest_without_mmio_says_so(bundle: Path) -> None:
    (bundle / "guest.json").write_text(json.dumps({**DESCRIPTION, "mmio": None}))
    with pytest.raises(TargetUnreachable, match="guest fake has no virtio-mmio"):
        load_bundle(bundle, "mmio")


def test_other_guest_without_options_is_the_guest_itself(bundle: Path) -> None:
    assert other_guest.apply(options(), load_bundle(bundle)) == load_bundle(bundle)
    assert other_guest.repeated(options()) == []


def test_other_guest_is_slow_only_if_its_description_says_so(bundle: Path) -> None:
    assert load_bundle(bundle).slowness == 1
    (bundle / "guest.json").write_text(json.dumps({**DESCRIPTION, "slowness": 2.5}))
    assert load_bundle(bundle).slowness == 2.5


def test_other_guest_options_replace_what_they_name(bundle: Path) -> None:
    arguments = ["--initrd=none", "--append=", "--qemu-arg=-smp", "--qemu-arg=2", "--no-agent"]
    given = options(*arguments)
    other = other_guest.apply(given, load_bundle(bundle))
    assert (other.initramfs, other.append, other.qemu_args) == (None, "", ("-smp", "2"))
    assert not other.has_agent and not other.hot_plug
    assert other_guest.repeated(given) == arguments


def test_other_guest_initramfs_that_is_not_there_is_named(bundle: Path) -> None:
    with pytest.raises(TargetUnreachable, match="--initrd /no/such: there is no such file"):
        other_guest.apply(options("--initrd", "/no/such"), load_bundle(bundle))
