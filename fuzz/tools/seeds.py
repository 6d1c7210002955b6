# SPDX-License-Identifier: BSD-2-Clause
"""Seeds: inputs made from text that people read and from fixtures/.

fuzz/seeds/NAME/*.txt are operation lists (tools/oplist.py tells the format) of targets that read such,
any other file there is a seed as it is. Golden messages and example scenarios of fixtures/ become
seeds of the targets that can read them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from rpmsg_conformance.virtio import golden
from rpmsg_conformance.virtio.codec import Order

from fuzz.tools import oplist
from fuzz.tools.adapt import to_session
from fuzz.tools.oplist import Schema
from fuzz.tools.project import FUZZ, ROOT, Problem, Target, schema, targets

FOLDER = FUZZ / "seeds"
FIXTURES = ROOT / "fixtures"


def written(target: Target, known: Schema | None) -> Iterator[tuple[str, bytes]]:
    """From fuzz/seeds/NAME. Raises Problem for text that is no list of the target."""
    folder = FOLDER / target.name
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if known is None or path.suffix != ".txt":
            yield path.stem, path.read_bytes()
            continue
        try:
            data = oplist.encode(known, oplist.parse(known, path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise Problem(f"{path.relative_to(ROOT)}: {error}") from None
        yield path.stem, data


def golden_messages(target: Target, known: Schema | None) -> Iterator[tuple[str, bytes]]:
    """Golden messages, in the form of the target."""
    messages = golden.load(FIXTURES / "messages")
    for message in messages:
        big = message.order is Order.BIG
        if target.name == "wire" and message.format != "vhost-user":
            # The first byte of an input of this target says the order.
            yield message.name, bytes((int(big),)) + message.data
        elif target.name == "remote" and message.format == "packet" and known is not None:
            # Without VERSION_1 (bit 32) the link is in the machine's order.
            text = (
                "announce kind=1 address=1024 name=\"sink\"\n"
                "attach input_entries=15 output_entries=15 buffers=8\n"
                f"bytes message=hex:{message.data.hex()}\nrun budget=64\ntake\ntake queue=1\n"
            )
            yield message.name, oplist.encode(known, oplist.parse(known, text))
        elif target.name == "vhost_user" and message.format == "vhost-user" and known is not None:
            yield message.name, oplist.encode(known, [raw_request(known, message.data)])


def of_remote(target: Target, programs: Path) -> Iterator[tuple[str, bytes]]:
    """Those of target remote, for target session; what is longer than it reads is cut."""
    remote, session = schema(programs, "remote"), schema(programs, "session")
    if target.name != "session" or remote is None or session is None:
        return
    for name, data in written(targets()["remote"], remote):
        items = to_session(oplist.decode(remote, data), session)[: oplist.MAX_ITEMS]
        while len(made := oplist.encode(session, items)) > target.longest:
            items = items[: len(items) * target.longest // len(made)]
        yield f"remote-{name}", made


def raw_request(known: Schema, data: bytes) -> oplist.Item:
    """A message of a front-end as operation `raw` of target vhost_user."""
    request, flags, _ = struct.unpack_from("<III", data)
    operation = known.named("raw")
    values = {"request": request & 0xFF, "flags": flags}
    fields = tuple(values.get(field.name, 0) for field in operation.fields)
    return oplist.Item(operation, fields, data[12:])


def example_scenarios(target: Target) -> Iterator[tuple[str, bytes]]:
    """fixtures/scenarios as they are."""
    if target.name == "scenario":
        for path in sorted((FIXTURES / "scenarios").glob("*.yaml")):
            yield path.stem, path.read_bytes()


def of(target: Target, programs: Path) -> dict[str, bytes]:
    """All seeds of a target, by the name of their file in fuzz/corpus."""
    known = schema(programs, target.name)
    found = [
        *written(target, known),
        *golden_messages(target, known),
        *example_scenarios(target),
        *of_remote(target, programs),
    ]
    result: dict[str, bytes] = {}
    for name, data in found:
        if len(data) > target.longest:
            raise Problem(f"seed {name} of {target.name} has {len(data)} bytes, at most {target.longest} are read")
        if f"seed-{name}" in result:
            raise Problem(f"two seeds of {target.name} are called {name}")
        result[f"seed-{name}"] = data
    return result


def write_all(programs: Path) -> list[str]:
    """Write the seeds of all targets; what was new, other than before, or is none any more."""
    changed = []
    for target in targets().values():
        made = of(target, programs)
        for name, data in made.items():
            path = target.corpus / name
            if not path.is_file() or path.read_bytes() != data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                changed.append(f"{target.name}/{name}")
        for path in target.corpus.glob("seed-*") if target.corpus.is_dir() else []:
            if path.name not in made:
                path.unlink()
                changed.append(f"{target.name}/{path.name}")
    return changed
