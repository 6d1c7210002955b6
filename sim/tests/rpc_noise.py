# SPDX-License-Identifier: BSD-2-Clause
"""Requests to the control socket, made from what the program itself says of its methods (help):
well-formed ones with random parameters, and ones that have to be refused.
"""

from __future__ import annotations

import json
import random
from typing import Any

#: A method or a parameter, as help describes it.
Description = dict[str, Any]

INVALID_REQUEST, PARSE_ERROR, METHOD_NOT_FOUND = -32600, -32700, -32601
INVALID_PARAMS, REFUSED = -32602, -32000
#: Milliseconds that a crashed remote stays away at the most, microseconds of pacing, and how long a
#: fault or holding lasts: so that what was asked for ends by itself.
LONGEST = {"down_ms": 5, "delay_us": 2000, "interrupt_delay_us": 2000, "count": 20, "after": 50}
#: Bytes of a message, now and then; the limits themselves are tested elsewhere.
LONGEST_DATA = 200


class Noise:
    """Random parameters, from a seed and from names that mean something to the program."""

    def __init__(self, seed: int, names: dict[str, list[str]]) -> None:
        """names: by parameter "name", or by "method.name" where that is meant."""
        self.random = random.Random(seed)
        self.names = names

    def number(self, name: str, low: int, high: int) -> int:
        high = min(high, LONGEST.get(name, high))
        near = [low, high, min(high, low + 1), min(high, low + self.random.randint(0, 2000))]
        return self.random.choice([*near, self.random.randint(low, high)])

    def value(self, method: str, param: Description) -> Any:
        """A value that the parameter's description allows."""
        name, kind, low, high = (param[key] for key in ("name", "type", "min", "max"))
        known = self.names.get(f"{method}.{name}") or self.names.get(name)
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind == "integer":
            return self.number(name, int(low), int(high))
        if kind == "hexadecimal":
            return self.random.randbytes(self.random.randint(0, LONGEST_DATA)).hex()
        choices = known or param.get("choices") or ["x" * min(9, int(high))]
        if kind == "array of strings":
            return [self.random.choice(choices) for _ in range(self.random.randint(0, 3))]
        return self.random.choice(choices)

    def params(self, method: Description) -> dict[str, Any]:
        """Parameters that are all as described, the optional ones in half of the cases."""
        return {
            param["name"]: self.value(method["name"], param)
            for param in method["params"]
            if param["name"] != "remote" and (param["required"] or self.random.random() < 0.4)
        }

    def wrong(self, method: Description) -> tuple[Any, int]:
        """Parameters that have to be refused whatever the state, and the error's code."""
        params: Any = self.params(method)
        described = [p for p in method["params"] if p["name"] != "remote"]
        wrongs: list[Any] = [[1, 2], "text", {**params, "no_such_parameter": 1}]
        for param in described:
            others: list[Any] = [None, {}, -1, 1.5, 1 << 70]
            if param["type"] != "boolean":
                others.append(True)
            if param["type"] == "string":
                others += ["", "x" * (int(param["max"]) + 1)]
            wrongs += [{**params, param["name"]: other} for other in others]
            if param["required"]:
                wrongs.append({k: v for k, v in params.items() if k != param["name"]})
        return self.random.choice(wrongs), INVALID_PARAMS

    def rubbish(self) -> tuple[bytes, int]:
        """A line that is no request, and the error's code."""
        return self.random.choice(
            [
                (b"[" * 17 + b"]" * 17, PARSE_ERROR),
                (b"[" * 60000, PARSE_ERROR),
                (b'{"a":' * 10000 + b"1" + b"}" * 10000, PARSE_ERROR),
                (b"\xff\xfe\x00", PARSE_ERROR),
                (b'{"jsonrpc":"2.0","method":"stats"', PARSE_ERROR),
                (b"[]", INVALID_REQUEST),
                (b"7", INVALID_REQUEST),
                (b'{"jsonrpc":"2.0","id":1}', INVALID_REQUEST),
                (b'{"jsonrpc":"1.0","id":1,"method":"help"}', INVALID_REQUEST),
                (b'{"jsonrpc":"2.0","id":1,"method":"no such"}', METHOD_NOT_FOUND),
            ]
        )


def request(method: str, params: Any, number: int) -> bytes:
    body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return json.dumps(body).encode() + b"\n"
