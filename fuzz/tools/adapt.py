# SPDX-License-Identifier: BSD-2-Clause
"""Seeds of target remote as those of target session, which does the same one floor higher."""

from __future__ import annotations

from fuzz.tools.oplist import Item, Schema

#: Operations of remote that have another name in session.
NAMES = {"detach": "leave"}


def fields(item: Item) -> dict[str, int]:
    """Values by name."""
    return {field.name: value for field, value in zip(item.operation.fields, item.values, strict=True)}


def adapted(item: Item) -> tuple[str, dict[str, int], bytes]:
    """Name, values and tail of the operation that does the same, if session has it."""
    values, tail = fields(item), item.tail
    match item.operation.name:
        case "attach":
            values["input_log2"] = (values["input_entries"] + 1).bit_length() - 1
            values["output_log2"] = (values["output_entries"] + 1).bit_length() - 1
            return "handshake", values, tail
        case "run":
            # A turn of the event loop does a budget's worth.
            return "turns", {"count": 4}, tail
        case "name_service":
            message = tail[:32].ljust(32, b"\0")
            message += values["address"].to_bytes(4, "little") + values["flags"].to_bytes(4, "little")
            return "message", {"source": values["source"], "destination": 53}, message
        case name:
            return NAMES.get(name, name), values, tail


def to_session(items: list[Item], session: Schema) -> list[Item]:
    """A list of target remote as one of target session; what session cannot do is left out."""
    known = {operation.name: operation for operation in session.operations}
    result = []
    for item in items:
        name, values, tail = adapted(item)
        if name not in known:
            continue
        operation = known[name]
        taken = tuple(
            min(values.get(field.name, 0), (1 << 8 * field.width) - 1) for field in operation.fields
        )
        result.append(Item(operation, taken, tail if operation.tail else b""))
        if name in ("message", "bytes"):
            # Messages wait for a kick there.
            kick = known["kick"]
            of_output = {"queue": 1, "count": 1}
            result.append(Item(kick, tuple(of_output.get(field.name, 0) for field in kick.fields)))
    return result
