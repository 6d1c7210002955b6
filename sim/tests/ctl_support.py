# SPDX-License-Identifier: BSD-2-Clause
"""What the tests of rpmsg-ctl share, and the types of their fixtures."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Done = subprocess.CompletedProcess[str]
Ctl = Callable[..., Done]
Spawn = Callable[..., subprocess.Popen[str]]
#: Answers a request; None closes the connection.
Handler = Callable[[dict[str, Any]], "bytes | None"]
Impostor = Callable[[Handler], Path]


def environment(control_path: object = None) -> dict[str, str]:
    """The tests' own environment, with RPMSG_CONTROL set or away."""
    env = {key: value for key, value in os.environ.items() if key != "RPMSG_CONTROL"}
    return env | ({"RPMSG_CONTROL": str(control_path)} if control_path else {})


def reply(request: dict[str, Any], result: Any) -> bytes:
    """A reply as the daemon writes it."""
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode() + b"\n"


def next_line(process: subprocess.Popen[str]) -> str:
    """A line of standard output; the process has to be there to write one."""
    assert process.stdout and process.stderr
    line = process.stdout.readline()
    assert line, f"ended, status {process.wait()}: {process.stderr.read()}"
    return line
