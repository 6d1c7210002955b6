# SPDX-License-Identifier: BSD-2-Clause
"""Operation lists as bytes and as text. The format is that of fuzz/common/oplist.h.

As text, each operation is a line: its name, fields as NAME=NUMBER (absent ones are 0), and the bytes
after them as NAME="text" or NAME=hex:00ff, of which any number may be joined by '+' and repeated by
'*N'. '#' begins a comment.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

VERSION = 1
HEADER_SIZE = 4
MAX_ITEMS = 512

PIECE = re.compile(r'("(?:[^"\\]|\\.)*"|hex:[0-9a-fA-F]*)(?:\*(\d+))?')
WORD = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s"#])+')


@dataclass(frozen=True)
class Field:
    name: str
    width: int  #: bytes
    role: str
    bound: int  #: the reader takes the value modulo this; 0: as it is


@dataclass(frozen=True)
class Operation:
    code: int
    name: str
    tail: str  #: what the bytes after the fields are, "": there are none
    fields: tuple[Field, ...]

    @property
    def size(self) -> int:
        """Bytes of all fields."""
        return sum(field.width for field in self.fields)


@dataclass(frozen=True)
class Schema:
    """All operations of a target."""

    id: int
    operations: tuple[Operation, ...]

    @property
    def header(self) -> bytes:
        return b"rp" + bytes((VERSION, self.id))

    def named(self, name: str) -> Operation:
        """The operation of a name; ValueError lists those that there are."""
        for operation in self.operations:
            if operation.name == name:
                return operation
        raise ValueError(f"no operation {name!r}: there are " + ", ".join(o.name for o in self.operations))


@dataclass(frozen=True)
class Item:
    """One operation of an input."""

    operation: Operation
    values: tuple[int, ...]  #: as the bytes have them, before a bound is applied
    tail: bytes = b""


def schema_from(description: dict[str, Any]) -> Schema | None:
    """From what replay_NAME --describe prints; None when inputs are bytes.

    Raises ValueError for another version than this module's.
    """
    if "ops" not in description:
        return None
    if description["version"] != VERSION:
        raise ValueError(f"operation lists of version {description['version']}, known is {VERSION}")
    operations = tuple(
        Operation(code, op["name"], op["tail"], tuple(Field(**field) for field in op["fields"]))
        for code, op in enumerate(description["ops"])
    )
    return Schema(description["id"], operations)


def encode_item(item: Item) -> bytes:
    """One operation with its header."""
    body = b"".join(
        value.to_bytes(field.width, "little")
        for field, value in zip(item.operation.fields, item.values, strict=True)
    )
    body += item.tail
    return struct.pack("<BBH", item.operation.code, 0, len(body)) + body


def encode(schema: Schema, items: list[Item]) -> bytes:
    """A whole input; ValueError when it has more operations than a target reads."""
    if len(items) > MAX_ITEMS:
        raise ValueError(f"{len(items)} operations, at most {MAX_ITEMS} are read")
    return schema.header + b"".join(encode_item(item) for item in items)


def chunks(schema: Schema, data: bytes) -> Iterator[tuple[Operation, bytes]]:
    """Operations and their bodies as they stand; ValueError says where the input is no list."""
    if data[:HEADER_SIZE] != schema.header:
        raise ValueError(f"begins with {data[:HEADER_SIZE].hex(' ')}, not {schema.header.hex(' ')}")
    at = HEADER_SIZE
    while at < len(data):
        if len(data) - at < 4:
            raise ValueError(f"cut off in the header of an operation, at byte {at}")
        code, zero, size = struct.unpack_from("<BBH", data, at)
        if zero != 0 or code >= len(schema.operations):
            raise ValueError(f"no operation begins with {code:02x} {zero:02x}, at byte {at}")
        if size > len(data) - at - 4:
            raise ValueError(f"an operation of {size} bytes is cut off, at byte {at}")
        yield schema.operations[code], data[at + 4 : at + 4 + size]
        at += 4 + size


def decode(schema: Schema, data: bytes) -> list[Item]:
    """The opposite of encode(), for any list: what a short body does not have is 0."""
    items = []
    for operation, body in chunks(schema, data):
        values, at = [], 0
        for field in operation.fields:
            values.append(int.from_bytes(body[at : at + field.width], "little"))
            at += field.width
        items.append(Item(operation, tuple(values), body[at:]))
    if len(items) > MAX_ITEMS:
        raise ValueError(f"{len(items)} operations, at most {MAX_ITEMS} are read")
    return items


def bytes_from(text: str) -> bytes:
    """Bytes written as "text" or hex:00ff, with '*N' and '+'; ValueError otherwise."""
    result, at = b"", 0
    while True:
        piece = PIECE.match(text, at)
        if piece is None:
            raise ValueError(f'{text}: expected "text" or hex:00ff')
        form, times = piece.groups()
        part = json.loads(form).encode() if form.startswith('"') else bytes.fromhex(form[4:])
        result += part * int(times or 1)
        at = piece.end()
        if at == len(text):
            return result
        if text[at] != "+":
            raise ValueError(f"{text}: expected '+' before {text[at:]}")
        at += 1


def text_of(data: bytes) -> str:
    """The opposite of bytes_from()."""
    if data and all(32 <= byte < 127 for byte in data):
        return json.dumps(data.decode())
    if len(data) > 8 and len(set(data)) == 1:
        return f"hex:{data[0]:02x}*{len(data)}"
    return "hex:" + data.hex()


def parse_line(schema: Schema, line: str) -> Item | None:
    """One line of text; None when it is empty. ValueError says what is wrong with it."""
    words: list[str] = []
    at = 0
    while at < len(line) and line[at] != "#":
        if line[at].isspace():
            at += 1
            continue
        match = WORD.match(line, at)
        if match is None:
            raise ValueError(f"a string does not end: {line[at:]}")
        words.append(match[0])
        at = match.end()
    if not words:
        return None
    operation = schema.named(words[0])
    values = dict.fromkeys((field.name for field in operation.fields), 0)
    widths = {field.name: field.width for field in operation.fields}
    tail = b""
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word}: expected NAME=VALUE")
        if name == operation.tail:
            tail = bytes_from(value)
        elif name in values:
            values[name] = int(value, 0)
            if not 0 <= values[name] < 1 << 8 * widths[name]:
                raise ValueError(f"{word}: the field has {widths[name]} bytes")
        else:
            known = [*values, *([operation.tail] if operation.tail else [])]
            raise ValueError(f"{operation.name} has no {name!r}: it has {', '.join(known) or 'nothing'}")
    return Item(operation, tuple(values.values()), tail)


def parse(schema: Schema, text: str) -> list[Item]:
    """A list from its text; ValueError names the line."""
    items = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            item = parse_line(schema, line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if item is not None:
            items.append(item)
    return items


def show(item: Item) -> str:
    """One operation as text; fields that are 0 are left out."""
    words = [item.operation.name]
    for field, value in zip(item.operation.fields, item.values, strict=True):
        # What the reader takes, when that is another.
        taken = value % field.bound if field.bound else value
        if taken:
            words.append(f"{field.name}={taken if taken < 65536 else hex(taken)}")
    if item.tail and item.operation.tail:
        words.append(f"{item.operation.tail}={text_of(item.tail)}")
    return " ".join(words)
