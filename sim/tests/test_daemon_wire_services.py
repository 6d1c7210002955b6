# SPDX-License-Identifier: BSD-2-Clause
"""Every kind of service on the wire of the program, byte for byte: what a host sends, and what it
then finds in its buffers. A kind without a case fails the suite.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

import pytest

from daemon_frontend import INPUT, Start
from wire_support import HOST_ADDR, OTHER_ADDR, Wire, message

#: The wire, and the name of the kind; fails unless the service answers as its kind does.
Case = Callable[["Served", str], None]
cases: dict[str, Case] = {}


def case(*names: str) -> Callable[[Case], Case]:
    """Make a function the case of these kinds."""

    def add(function: Case) -> Case:
        cases.update(dict.fromkeys(names, function))
        return function

    return add


class Served(Wire):
    """A host and one service, which is not announced."""

    addr: int
    answers = 0

    def serve(self, kind: str, **params: int) -> int:
        """Make the service and attach a host; the service's address."""
        made = self.control.call("announce", name="service", kind=kind, quiet=True, **params)
        self.addr = made["addr"]
        self.attach()
        return self.addr

    def say(self, payload: bytes) -> None:
        self.host.send(HOST_ADDR, self.addr, payload)
        self.settle()

    def expect_answers(self, *payloads: bytes) -> None:
        """Fail unless exactly these came, from the service to the host, since the last look."""
        for payload in payloads:
            self.expect(self.answers, message(self.addr, HOST_ADDR, payload))
            self.answers += 1
        assert self.used_idx(INPUT) == self.answers

    def delivered(self) -> tuple[int, dict[str, int]]:
        """Messages delivered, and dropped by reason."""
        messages = self.control.call("stats")["messages"]
        return messages["delivered"], messages["dropped"]


@pytest.fixture
def served(start: Start) -> Iterator[Served]:
    made = Served(start())
    yield made
    made.close()


def test_wire_services_each_has_a_case(served: Served) -> None:
    _, text = served.control.error("announce", {"name": "x", "kind": "no such kind"})
    kinds = text.split("kinds are ")[1].split(", ")

    # What a script answers stands in a scenario file: test_scenario_script.py.
    assert sorted(kinds) == sorted({*cases, "script"})


@case("echo", "chrdev", "tty", "ti-pingpong", "openamp-demo", "client-sample")
def same_bytes_come_back(served: Served, kind: str) -> None:
    assert served.serve(kind) == (13 if kind == "ti-pingpong" else 1024)
    for payload in (b"", b"ls\r\n\0x", bytes(range(256)) + b"\xa5" * 240):
        served.say(payload)
        served.expect_answers(payload)


@case("sink")
def nothing_comes_back(served: Served, kind: str) -> None:
    served.serve(kind)
    served.say(b"taken")
    served.expect_answers()
    assert served.delivered() == (1, {})


@case("source")
def numbered_messages_come(served: Served, kind: str) -> None:
    served.serve(kind, size=20, rate=0xFFFFFFFF, messages=3)
    served.say(b"go")
    served.expect_answers(
        *(struct.pack("<Q", n) + bytes((n + i) & 0xFF for i in range(12)) for n in range(3))
    )


@case("tty-zephyr")
def terminal_puts_its_number_in_front(served: Served, kind: str) -> None:
    served.serve(kind)
    served.say(b"hi")
    served.expect_answers(b"TTY 0: hi")


@case("raw")
def sender_is_named(served: Served, kind: str) -> None:
    served.serve(kind)
    served.say(b"data")
    served.expect_answers(b"from ept 0x01f4: data")


def matrix(size: int, value: Callable[[int, int], int]) -> bytes:
    """A matrix as OpenAMP's demo sends it, in a field of 6x6."""
    cells = [value(r, c) if max(r, c) < size else 0 for r in range(6) for c in range(6)]
    return struct.pack("<37I", size, *cells)


@case("matrix")
def product_of_two_matrices_comes_back(served: Served, kind: str) -> None:
    served.serve(kind)
    counting = matrix(6, lambda row, column: 6 * row + column)
    served.say(counting + matrix(6, lambda row, column: 2 if row == column else 0))
    served.expect_answers(matrix(6, lambda row, column: 2 * (6 * row + column)))
    served.say(matrix(7, lambda row, column: 0) * 2)
    served.expect_answers()
    assert served.delivered() == (1, {"service": 1})


@case("nxp-pingpong")
def counter_goes_up_to_100(served: Served, kind: str) -> None:
    assert served.serve(kind) == 30
    served.say(b"hello world!")
    served.say(struct.pack("<I", 98))
    served.say(struct.pack("<I", 99))
    served.say(struct.pack("<I", 100))
    served.expect_answers(struct.pack("<I", 99), struct.pack("<I", 100))


@case("nxp-str-echo")
def text_comes_back_in_pieces(served: Served, kind: str) -> None:
    assert served.serve(kind) == 30
    served.say(b"x" * 256 + b"y" * 44)
    served.expect_answers(b"x" * 256, b"y" * 44)


@case("st-sdb")
def shared_buffer_is_full_at_once(served: Served, kind: str) -> None:
    served.serve(kind)
    served.say(b"B3A4000f000L00100000")
    served.expect_answers(b"B3L00100000")
    served.say(b"B3A4000f000L00100000!")
    served.expect_answers()
    assert served.delivered() == (1, {"service": 1})


@case("nuttx-ping")
def ping_is_acknowledged_with_its_cookie(served: Served, kind: str) -> None:
    served.serve(kind)
    cookie, data = bytes(range(0x11, 0x19)), b"\xee" * 8
    for command in (1, 2, 3):  # answered; looked at and answered; not answered
        served.say(struct.pack("<II", command, 24) + cookie + data)
    served.say(struct.pack("<II", 2, 24) + cookie + b"\xef" * 8)
    served.expect_answers(*[struct.pack("<II", 4, 24) + cookie + data] * 2)
    assert served.delivered() == (3, {"service": 1})


@pytest.mark.parametrize("kind", cases)
def test_wire_services(served: Served, kind: str) -> None:
    cases[kind](served, kind)


# ---- those that leave ----


def expect_gone(served: Served) -> None:
    served.say(b"are you there?")
    served.expect_answers()
    assert served.delivered()[1] == {"no-endpoint": 1}
    assert served.control.call("stats")["endpoints"] == []


@pytest.mark.parametrize("kind", ["openamp-demo", "matrix"])
def test_wire_services_shutdown_word_ends_the_service(served: Served, kind: str) -> None:
    served.serve(kind)
    served.say(struct.pack("<I", 0xEF56A55A))
    expect_gone(served)


def test_wire_services_client_sample_leaves_after_100_answers(served: Served) -> None:
    served.serve("client-sample")
    for _ in range(100):
        served.host.send(HOST_ADDR, served.addr, b"hello world!")
        assert served.host.receive() == (served.addr, HOST_ADDR, b"hello world!")
    served.answers = 100
    expect_gone(served)


# ---- several ----


def test_wire_services_of_one_name_answer_from_addresses_of_their_own(served: Served) -> None:
    served.control.call("announce", name="service", kind="raw", addr=OTHER_ADDR, quiet=True)
    served.serve("raw")
    served.say(b"a")
    served.addr, first = OTHER_ADDR, served.addr
    served.say(b"b")

    served.expect(0, message(first, HOST_ADDR, b"from ept 0x01f4: a"))
    served.expect(1, message(OTHER_ADDR, HOST_ADDR, b"from ept 0x01f4: b"))
