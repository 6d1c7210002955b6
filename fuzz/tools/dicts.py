# SPDX-License-Identifier: BSD-2-Clause
"""Dictionaries for engines: numbers of the protocols, names in use, words of text formats.

Numbers come from rpmsg_conformance.virtio.constants, which a test compares with the headers of sim/;
words from the tables in sim/man/generated, which the programs print of themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rpmsg_conformance.virtio import constants as c

from fuzz.tools.project import FUZZ, ROOT, Problem, Target, targets

#: Targets whose inputs are text, and the tables that have their words.
TEXT = {
    "control": ("methods", "events", "faults", "kinds", "profiles"),
    "scenario": ("scenario-keys", "methods", "faults", "kinds", "profiles"),
    "words": ("kinds", "profiles"),
}
#: Targets whose messages may be in either byte order.
BOTH_ORDERS = ("wire", "remote", "session", "capture", "host")
#: Targets that see requests of vhost-user.
REQUESTS = ("vhost_user", "session", "host")

BOLD = re.compile(r"\*([^*\s]+)\*")
CHANNELS = re.compile(r"\.channels = \{([^}]*)\}")

JSON_WORDS = (
    '"jsonrpc":"2.0"', '"method":', '"params":', '"id":', "{}", "[]", "null", "true", "false", "-1",
    "1e400", "0.5", "18446744073709551616", '"\\u0000"', '"\\ud800"', "\n",
)  # fmt: skip
YAML_WORDS = ("- ", ": ", "\n", "  ", "&a ", "*a", "|\n", "? ", "!!str ", "---\n", "0x10", "[", "{", "#", "'", '"')


def entry(name: str, data: bytes) -> str:
    """A line of a dictionary, as libFuzzer and AFL++ read it."""
    shown = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in data
    )
    return f'{re.sub("[^A-Za-z0-9_]", "_", name)}="{shown}"'


def numbers() -> Iterator[tuple[str, int, int]]:
    """Name, value and width in bytes of what stands in messages and rings."""
    yield from (
        ("addr_ns", c.ADDR_NS, 4),
        ("addr_first_dynamic", c.ADDR_FIRST_DYNAMIC, 4),
        ("addr_any", c.ADDR_ANY, 4),
        ("ns_create", c.NS_CREATE, 4),
        ("ns_destroy", c.NS_DESTROY, 4),
        ("len_header", c.RPMSG_HEADER_SIZE, 2),
        ("len_ns", c.NS_SIZE, 2),
        ("len_max_payload", c.MAX_PAYLOAD, 2),
        ("len_above_payload", c.MAX_PAYLOAD + 1, 2),
        ("len_buffer", c.BUFFER_SIZE, 2),
        ("len_ones", 0xFFFF, 2),
        ("desc_write", c.DESC_F_WRITE, 2),
        ("desc_next_write", c.DESC_F_NEXT | c.DESC_F_WRITE, 2),
        ("desc_indirect", c.DESC_F_INDIRECT, 2),
        ("ring_max", c.MAX_RING_SIZE, 4),
    )
    for feature in c.Feature:
        yield f"feature_{feature.name.lower()}", c.bit(feature), 8


def requests() -> Iterator[tuple[str, int, int]]:
    """The same for messages of vhost-user."""
    for request in c.Request:
        yield f"request_{request.name.lower()}", request, 4
    for feature in c.ProtocolFeature:
        yield f"protocol_{feature.name.lower()}", c.bit(feature), 8
    yield "flags_version", c.VERSION, 4
    yield "flags_need_reply", c.VERSION | c.NEED_REPLY, 4


def channel_names() -> list[str]:
    """Names of channels that services have in the field, from their sources."""
    found = set()
    for source in sorted((ROOT / "sim/remote/services").glob("*.c")):
        for names in CHANNELS.findall(source.read_text(encoding="utf-8")):
            found |= set(re.findall(r'"([^"]+)"', names))
    if not found:
        raise Problem("sim/remote/services names no channel: has .channels another form now?")
    return sorted(found)


def words(table: str) -> list[str]:
    """Bold words of a table of sim/man/generated: names, and parts of a dotted one."""
    text = (ROOT / f"sim/man/generated/{table}.scd").read_text(encoding="utf-8").replace("\\", "")
    parts = {part for word in BOLD.findall(text) for part in re.split(r"[.\[\]]+", word)}
    return sorted(part for part in parts if re.fullmatch(r"[A-Za-z][\w-]*", part))


def dictionary(target: Target) -> str:
    """All of a target's dictionary; "" for one that reads nothing."""
    if not target.floors:
        return ""
    lines = ["# SPDX-License-Identifier: BSD-2-Clause", "# made by scripts/fuzz dict"]
    if target.name in TEXT:
        found = {word for table in TEXT[target.name] for word in words(table)}
        json = target.name == "control"
        tokens = [f'"{word}"' if json else word for word in sorted(found)]
        lines += [entry(f"word_{token}".replace('"', ""), token.encode()) for token in tokens]
        marks = {"control": JSON_WORDS, "scenario": YAML_WORDS}.get(target.name, ())
        lines += [entry(f"mark_{number}", mark.encode()) for number, mark in enumerate(marks)]
        return "\n".join(lines) + "\n"
    listed = [*numbers(), *(requests() if target.name in REQUESTS else ())]
    for name, value, width in listed:
        lines.append(entry(name, value.to_bytes(width, "little")))
        if target.name in BOTH_ORDERS and width in (2, 4):
            lines.append(entry(f"{name}_big", value.to_bytes(width, "big")))
    if target.name in BOTH_ORDERS:
        lines += [entry(f"name_{name}", name.encode()) for name in channel_names()]
    return "\n".join(lines) + "\n"


def write_all() -> list[str]:
    """Write every dictionary; names of files that changed, or that are of no target any more."""
    folder = FUZZ / "dict"
    folder.mkdir(exist_ok=True)
    changed = []
    for target in targets().values():
        text = dictionary(target)
        old = target.dictionary.read_text(encoding="utf-8") if target.dictionary.is_file() else ""
        if text != old:
            target.dictionary.write_text(text, encoding="utf-8")
            changed.append(target.dictionary.name)
    for path in sorted(folder.glob("*.dict")):
        if path.stem not in targets():
            path.unlink()
            changed.append(path.name)
    return changed
