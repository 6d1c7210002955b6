# SPDX-License-Identifier: BSD-2-Clause
"""Turns an input into a program that stands by itself, or into a case of the suite for remotes."""

from __future__ import annotations

import re
import shlex
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

from fuzz.tools import oplist
from fuzz.tools.oplist import Item, Schema
from fuzz.tools.project import Problem, Target

#: Targets whose operations a host can do to a remote from outside.
CASES = ("remote", "session", "wire")


def byte_lines(data: bytes, width: int = 16) -> list[str]:
    """Bytes as rows of a C initialiser."""
    rows = (data[at : at + width] for at in range(0, len(data), width))
    return ["\t" + " ".join(f"0x{byte:02x}," for byte in row) for row in rows]


def array(data: bytes, known: Schema | None) -> list[str]:
    """The input, an operation at a time where it has such."""
    if known is None:
        return byte_lines(data)
    try:
        chunks = list(oplist.chunks(known, data))
        items = oplist.decode(known, data)
    except ValueError:
        return byte_lines(data)
    lines = byte_lines(data[: oplist.HEADER_SIZE])
    at = oplist.HEADER_SIZE
    for (_, body), item in zip(chunks, items, strict=True):
        lines.append(f"\t/* {oplist.show(item).replace('*/', '* /')} */")
        lines += byte_lines(data[at : at + 4 + len(body)])
        at += 4 + len(body)
    return lines


def link_command(target: Target, tree: Path) -> str:
    """How a build tree links replay_NAME, with repro.c in place of the replay, to be run there.

    Raises Problem when the tree does not know the program.
    """
    done = subprocess.run(
        ["ninja", "-C", tree, "-t", "commands", f"replay_{target.name}"],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        raise Problem(f"{tree}: does not build replay_{target.name}: {done.stderr.strip()}")
    words = []
    for word in shlex.split(lines[-1]):
        if word.endswith("/common/replay.c.o"):
            words += ["-I../../fuzz", "-I../../sim", "../../repro.c"]
        elif word.endswith(f"/replay_{target.name}"):
            words.append("../../repro")
        elif word not in (":", "&&"):
            words.append(word)
    return shlex.join(words)


def folded(command: str) -> list[str]:
    """A long command in lines that a shell joins again."""
    lines = textwrap.wrap(command, 86, break_long_words=False, break_on_hyphens=False)
    return [*(f"{line} \\" for line in lines[:-1]), *lines[-1:]]


def c_test(target: Target, known: Schema | None, data: bytes, origin: str, tree: Path) -> str:
    """A C program with the input in it, which ends as the target does."""
    lines = [
        "/* SPDX-License-Identifier: BSD-2-Clause */",
        "/*",
        f" * {origin}, for target {target.name}. Made by scripts/fuzz repro. As repro.c in the checkout:",
        " *",
        " *   scripts/fuzz build",
        f" *   cd build/{tree.name}",
        *(f" *   {line}" for line in folded(link_command(target, tree))),
        " *   ../../repro",
        " *",
        " * The status is 0 once the fault is gone.",
        " */",
        '#include "common/target.h"',
        "",
        "static const uint8_t input[] = {",
        *(array(data, known) or ["\t0, /* an empty input */"]),
        "};",
        "",
        "int main(void)",
        "{",
        f"\tfuzz_target.run(input, {'sizeof(input)' if data else '0'});",
        "\treturn 0;",
        "}",
    ]
    return "\n".join(lines) + "\n"


def value(item: Item, name: str) -> int:
    """A field of an operation, as its target reads it."""
    for field, number in zip(item.operation.fields, item.values, strict=True):
        if field.name == name:
            return number % field.bound if field.bound else number
    return 0


def bytes_text(data: bytes) -> str:
    """A bytes literal, short for one byte many times."""
    if len(data) > 8 and len(set(data)) == 1:
        return f"{data[:1]!r} * {len(data)}"
    return repr(data)


def send(item: Item) -> str:
    """A message with a header that is right."""
    ends = f"{value(item, 'source'):#x}, {value(item, 'destination'):#x}"
    return f"host.send({ends}, {bytes_text(item.tail)})"


def announce(item: Item) -> str:
    """A message to the name service."""
    name = item.tail.split(b"\0")[0][:31]
    return f"host.announce({name!r}, {value(item, 'address'):#x}, {value(item, 'flags'):#x})"


#: What a host does, by the name of the operation; "" where the remote needs no telling.
CALLS: dict[str, Callable[[Item], str]] = {
    "message": send,
    "bytes": lambda item: f"host.send_bytes({bytes_text(item.tail)})",
    "name_service": announce,
    "detach": lambda _: "host.restart()",
    "reconnect": lambda _: "host.reconnect()",
    "run": lambda _: "",
    "take": lambda _: "host.process()",
    "post": lambda _: "host.repost()",
    "serve": lambda _: "",
}


def skeleton(target: Target, known: Schema | None, data: bytes, origin: str) -> str:
    """A case for conformance/remote, to be completed by hand.

    Raises Problem for a target that attacks something which no host reaches, and for an input that is
    no operation list.
    """
    if target.name not in CASES:
        raise Problem(f"no host can do to a remote what target {target.name} does; leave out --case")
    steps: list[str] = []
    if known is None:
        # The first byte of target wire chooses the byte order.
        steps = [f"host.send_bytes({bytes_text(data[1:])})"]
    else:
        try:
            items = oplist.decode(known, data)
        except ValueError as error:
            raise Problem(f"{origin}: no operation list of {target.name}: {error}") from None
        attached = False
        for item in items:
            name = item.operation.name
            if name in ("attach", "handshake"):
                steps += ["host.restart()"] if attached else []
                attached = True
            elif name in CALLS:
                steps.append(CALLS[name](item))
            else:
                steps.append(f"# by hand, a host has no call for it: {oplist.show(item)}")
    body = "\n".join(f"    {step}" for step in steps if step)
    stem = re.sub(r"\W+", "_", origin.lower()).strip("_")
    return f'''\
# {origin}, found by fuzz target {target.name}. For conformance/remote/test_AREA.py: name the requirement
# that is broken, say what has to hold instead of host.check(), and record it (check-catalogue --record).
@pytest.mark.requirement("XX-000")
def test_area_{stem}(connect: Connect, echo: EchoService) -> None:
    """One sentence: what has to hold."""
    host = connect()
{body}
    host.check()
'''
