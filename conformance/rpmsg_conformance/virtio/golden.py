# SPDX-License-Identifier: BSD-2-Clause
"""Reader of golden messages: bytes with their meaning. fixtures/README.md describes the format."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from rpmsg_conformance.virtio.codec import Order

#: An integer, a truth value, text, bytes, or a set of words ("none" is the empty set).
Value = int | bool | str | bytes | frozenset[str]

FORMATS: Final = ("header", "packet", "ns", "vhost-user")

_BYTES: Final = re.compile(r"([0-9a-fA-F]{2})(?:\*([0-9]+))?")
_WORDS: Final = re.compile(r"[A-Z][A-Z0-9_]*(?:\s*,\s*[A-Z][A-Z0-9_]*)*")
_STRING_OR_COMMENT: Final = re.compile(r'("(?:\\.|[^"\\])*")|#.*')


class GoldenError(Exception):
    """A file of golden messages is malformed; the text names file, line and what is wrong."""


@dataclass(frozen=True)
class Golden:
    """One message: its bytes, and what a decoder has to find in them."""

    name: str
    about: str
    format: str
    order: Order
    data: bytes
    decode: dict[str, Value]
    where: str


def load(path: Path) -> list[Golden]:
    """The messages of one file, or of all ``*.msg`` in a folder. Raises GoldenError and OSError."""
    paths = sorted(path.glob("*.msg")) if path.is_dir() else [path]
    found: list[Golden] = []
    names: dict[str, str] = {}
    for each in paths:
        for golden in _Reader(each).messages():
            if golden.name in names:
                raise GoldenError(
                    f"{golden.where}: '{golden.name}' is the name of a message at "
                    f"{names[golden.name]} already"
                )
            names[golden.name] = golden.where
            found.append(golden)
    if not found:
        raise GoldenError(f"{path}: no message found")
    return found


class _Reader:
    """Reads one file, a line ahead."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: list[tuple[int, str]] = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            bare = _STRING_OR_COMMENT.sub(lambda match: match[1] or "", line).strip()
            if bare:
                self._lines.append((number, bare))
        self._at = 0

    def messages(self) -> list[Golden]:
        found = []
        while self._at < len(self._lines):
            where = f"{self._path}:{self._lines[self._at][0]}"
            name = self._keyword("message")
            about = self._keyword("about")
            kind = self._keyword("format")
            if kind not in FORMATS:
                self._fail(f"format '{kind}' is none of {', '.join(FORMATS)}")
            order = self._keyword("order")
            if order not in ("little", "big"):
                self._fail(f"order '{order}' is neither little nor big")
            data = self._hex()
            found.append(Golden(name, about, kind, Order(order), data, self._decode(), where))
        return found

    def _keyword(self, keyword: str) -> str:
        first, _, rest = self._take(keyword).partition(" ")
        if first != keyword or not rest.strip():
            self._fail(f"expected '{keyword}' and a value")
        return rest.strip()

    def _hex(self) -> bytes:
        if self._take("hex") != "hex":
            self._fail("expected 'hex' alone on its line")
        data = bytearray()
        while self._peek() not in ("decode", None):
            data += self._bytes(self._take("bytes").split())
        return bytes(data)

    def _decode(self) -> dict[str, Value]:
        if self._take("decode") != "decode":
            self._fail("expected 'decode' alone on its line")
        fields: dict[str, Value] = {}
        while (line := self._peek()) is not None and not line.startswith("message "):
            key, equals, value = (part.strip() for part in self._take("a field").partition("="))
            if not equals or not key or not value:
                self._fail("expected KEY = VALUE")
            if key in fields:
                self._fail(f"key '{key}' stands here twice")
            fields[key] = self._value(value)
        if not fields:
            self._fail("'decode' lists nothing")
        return fields

    def _value(self, text: str) -> Value:
        if text in ("true", "false"):
            return text == "true"
        if text == "none":
            return frozenset()
        if text.startswith("hex:"):
            # "hex:5a*496" repeats, "hex:0102" lists.
            digits = text[4:]
            pieces = [digits] if "*" in digits else re.findall("..?", digits)
            return self._bytes(pieces)
        if _WORDS.fullmatch(text):
            return frozenset(word.strip() for word in text.split(","))
        try:
            if text.startswith('"'):
                return str(json.loads(text))
            return int(text, 0)
        except ValueError:
            self._fail(f"'{text}' is no value")

    def _bytes(self, pieces: list[str]) -> bytes:
        data = bytearray()
        for piece in pieces:
            match = _BYTES.fullmatch(piece)
            if match is None:
                self._fail(f"'{piece}' is neither two hexadecimal digits nor XX*N")
            data += bytes([int(match[1], 16)]) * int(match[2] or 1)
        return bytes(data)

    def _peek(self) -> str | None:
        return self._lines[self._at][1] if self._at < len(self._lines) else None

    def _take(self, expected: str) -> str:
        if self._at == len(self._lines):
            raise GoldenError(f"{self._path}: ends where '{expected}' is expected")
        line = self._lines[self._at][1]
        self._at += 1
        return line

    def _fail(self, what: str) -> NoReturn:
        raise GoldenError(f"{self._path}:{self._lines[self._at - 1][0]}: {what}")
