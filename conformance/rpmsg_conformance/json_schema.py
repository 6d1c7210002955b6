# SPDX-License-Identifier: BSD-2-Clause
"""As much of JSON Schema (draft 2020-12) as the project's own schemas use, and nothing else.

A keyword that is not known is an error of the schema: what a schema says is always checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description"})
_KEYWORDS = frozenset(
    {"$ref", "type", "enum", "const", "pattern", "minimum", "properties", "required", "items"}
    | {"additionalProperties"}
)

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class SchemaError(Exception):
    """The schema itself is wrong."""


class JsonSchema:
    """A schema whose keywords are all known."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises SchemaError for a keyword or type that is not known, or a broken reference."""
        self._root = schema
        self._inspect(schema, "schema")

    def problems(self, value: Any, strict: bool = False) -> list[str]:
        """What is wrong with ``value``, with its place; ``strict`` refuses unknown keys too."""
        return list(self._check(self._root, value, "$", strict))

    def _inspect(self, schema: Mapping[str, Any], where: str) -> None:
        unknown = sorted(set(schema) - _ANNOTATIONS - _KEYWORDS)
        if unknown:
            raise SchemaError(f"{where}: keyword '{unknown[0]}' is not checked by this program")
        for name in _type_names(schema):
            if name not in _TYPES:
                raise SchemaError(f"{where}: there is no type '{name}'")
        if "$ref" in schema:
            self._resolve(schema, where)
        for key in ("properties", "$defs"):
            for name, inner in schema.get(key, {}).items():
                self._inspect(inner, f"{where}.{name}")
        for key in ("items", "additionalProperties"):
            if isinstance(schema.get(key), dict):
                self._inspect(schema[key], f"{where}.{key}")

    def _resolve(self, schema: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        prefix, _, name = schema["$ref"].rpartition("/")
        if prefix != "#/$defs" or name not in self._root.get("$defs", {}):
            raise SchemaError(f"{where}: reference '{schema['$ref']}' leads nowhere")
        inner: Mapping[str, Any] = self._root["$defs"][name]
        return inner

    def _check(
        self, schema: Mapping[str, Any], value: Any, where: str, strict: bool
    ) -> Iterator[str]:
        if "$ref" in schema:
            yield from self._check(self._resolve(schema, where), value, where, strict)
        names = _type_names(schema)
        if names and not any(_is(value, name) for name in names):
            yield f"{where} is not of type {' or '.join(names)}"
            return
        if "const" in schema and value != schema["const"]:
            yield f"{where} is not {schema['const']!r}"
        if "enum" in schema and value not in schema["enum"]:
            yield f"{where} is none of {', '.join(map(str, schema['enum']))}"
        if isinstance(value, str) and "pattern" in schema:
            if not re.search(schema["pattern"], value):
                yield f"{where} does not look like {schema['pattern']}"
        if _is(value, "number") and value < schema.get("minimum", value):
            yield f"{where} is below {schema['minimum']}"
        if isinstance(value, dict):
            yield from self._check_object(schema, value, where, strict)
        if isinstance(value, list) and "items" in schema:
            for number, item in enumerate(value):
                yield from self._check(schema["items"], item, f"{where}[{number}]", strict)

    def _check_object(
        self, schema: Mapping[str, Any], value: Mapping[str, Any], where: str, strict: bool
    ) -> Iterator[str]:
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{where} lacks the key '{name}'"
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name, inner in value.items():
            if name in properties:
                yield from self._check(properties[name], inner, f"{where}.{name}", strict)
            elif isinstance(others, dict):
                yield from self._check(others, inner, f"{where}.{name}", strict)
            elif others is False or (strict and properties):
                yield f"{where} has the unknown key '{name}'"


def _type_names(schema: Mapping[str, Any]) -> list[str]:
    names = schema.get("type", [])
    return [names] if isinstance(names, str) else list(names)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])
