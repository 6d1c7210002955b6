# SPDX-License-Identifier: BSD-2-Clause
"""A guest that this checkout does not ship: the machine of one that it does, with another kernel.

conformance/GUESTS.md says what such a guest has to do.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.guest import Bundle

#: Of --initrd: the kernel needs none.
NO_INITRD = "none"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of ``rpmsg-conform host`` that speak of such a guest."""
    group = parser.add_argument_group(
        "another kernel", "on the machine of the guest that --guest names; see GUESTS.md"
    )
    group.add_argument("--kernel", metavar="FILE", type=Path, help="image, as QEMU's -kernel takes it")
    group.add_argument(
        "--initrd-add",
        metavar="DIR",
        type=Path,
        help="put the files in DIR into the initramfs, beside the agent",
    )
    group.add_argument(
        "--initrd", metavar="FILE", help=f"take this initramfs instead; '{NO_INITRD}': there is none"
    )
    group.add_argument(
        "--append", metavar="TEXT", help="command line of the kernel, instead of the guest's own"
    )
    group.add_argument(
        "--qemu-arg",
        metavar="ARG",
        action="append",
        default=[],
        help="one more argument for QEMU: --qemu-arg=-smp --qemu-arg=2",
    )
    group.add_argument(
        "--no-agent",
        action="store_true",
        help="nothing of the suite runs in the guest: judge what is seen on the wire",
    )


def repeated(options: argparse.Namespace) -> list[str]:
    """The options as on the command line, for the command that repeats a case."""
    command: list[str] = []
    for name in ("kernel", "initrd_add", "initrd", "append"):
        value = getattr(options, name)
        if value is not None:
            command.append(f"--{name.replace('_', '-')}={value}")
    command += [f"--qemu-arg={argument}" for argument in options.qemu_arg]
    return command + (["--no-agent"] if options.no_agent else [])


def apply(options: argparse.Namespace, bundle: Bundle) -> Bundle:
    """The bundle as the options want it; scripts/guest has seen to kernel and --initrd-add.

    Raises TargetUnreachable for a file that is not there.
    """
    initramfs = bundle.initramfs
    if options.initrd is not None:
        initramfs = None if options.initrd == NO_INITRD else Path(options.initrd).absolute()
        if initramfs is not None and not initramfs.is_file():
            raise TargetUnreachable(f"--initrd {options.initrd}: there is no such file")
    return replace(
        bundle,
        initramfs=initramfs,
        append=bundle.append if options.append is None else options.append,
        qemu_args=tuple(options.qemu_arg),
        has_agent=not options.no_agent,
        # Without an agent nobody in the guest would look for a device that comes later.
        hot_plug=bundle.hot_plug and not options.no_agent,
    )
