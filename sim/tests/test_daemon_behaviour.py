# SPDX-License-Identifier: BSD-2-Clause
"""Dialects, features, buffer sizes, pacing and parameters of services, from options and methods."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

import pytest

from daemon_frontend import (
    DEADLINE_S,
    F_NS,
    F_VERSION_1,
    GET_FEATURES,
    HEADER,
    INPUT,
    OUTPUT,
    SET_PROTOCOL_FEATURES,
    Attach,
    Connect,
    FrontEnd,
    Host,
    Run,
    Start,
)

REFUSED = -32000
GET_PROTOCOL_FEATURES, GET_CONFIG = 15, 24
PROTOCOL_F_CONFIG = 1 << 9
F_BUFSZ = 1 << 1
F_EVENT_IDX, F_INDIRECT = 1 << 29, 1 << 28
F_IN_ORDER = 1 << 35


def read_config(front_end: FrontEnd, size: int) -> bytes:
    """The configuration space; negotiates what is needed to read it."""
    front_end.ask_u64(GET_FEATURES)
    assert front_end.ask_u64(GET_PROTOCOL_FEATURES) & PROTOCOL_F_CONFIG
    front_end.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", PROTOCOL_F_CONFIG))
    front_end.send(GET_CONFIG, struct.pack("<III", 0, size, 0) + bytes(size))
    return front_end.reply()[12:]


# ---- dialects ----


def test_behaviour_profiles_are_listed_for_people_and_for_programs(run: Run) -> None:
    text = run("--list-profiles")
    listed = json.loads(run("--list-profiles=json").stdout)

    names = [profile["name"] for profile in listed]
    assert text.returncode == 0
    assert names == ["linux", "linux-bufsz", "openamp-bufsz", "nuttx", "rpmsg-lite", "openamp"]
    assert [line.split(None, 1) for line in text.stdout.splitlines()] == [
        [profile["name"], profile["text"]] for profile in listed
    ]
    assert [(p["layout"], p["config_size"]) for p in listed[:2]] == [(None, 0), ("linux", 11)]


def test_behaviour_profile_decides_features_and_configuration(start: Start) -> None:
    sim = start("--profile", "linux-bufsz", "--buffer-size", "1024,2048")
    front_end = FrontEnd(sim.socket_path)

    assert front_end.ask_u64(GET_FEATURES) & F_BUFSZ
    assert read_config(front_end, 11) == struct.pack("<BHII", 1, 11, 1024, 2048)
    front_end.close()


def test_behaviour_layout_takes_the_place_of_the_profiles(start: Start) -> None:
    sim = start(
        *["--profile", "linux-bufsz", "--config-layout", "openamp", "--buffer-size", "1024,2048"]
    )
    front_end = FrontEnd(sim.socket_path)

    assert read_config(front_end, 11) == struct.pack("<BHII", 1, 11, 2048, 1024)
    front_end.close()


def test_behaviour_profile_shows_on_the_wire(start: Start, attach: Attach) -> None:
    host = attach(start("--profile", "rpmsg-lite", "--service", "echo"))

    [(index, used_len)] = host.rings[INPUT].wait_used()
    src, _, reserved, _, _ = HEADER.unpack_from(host.memory, host.rings[INPUT].buffer(index))

    assert src == 1  # its addresses begin there
    assert reserved == index << 16
    assert used_len == 512


@pytest.mark.parametrize(
    "options, bit, offered",
    [
        (["--feature", "-ns"], F_NS, False),
        (["--feature", "+bufsz"], F_BUFSZ, True),
        (["--feature", "-event-idx"], F_EVENT_IDX, False),
        (["--feature", "-28"], F_INDIRECT, False),
        (["--feature", "+35"], F_IN_ORDER, True),
        (["--feature", "-ns", "--feature", "+ns"], F_NS, True),
        (["--feature", "-version-1"], F_VERSION_1, False),
    ],
)
def test_behaviour_features_are_forced_on_and_off_one_by_one(
    start: Start, options: list[str], bit: int, offered: bool
) -> None:
    front_end = FrontEnd(start(*options).socket_path)

    default = F_NS | F_VERSION_1 | F_INDIRECT | F_EVENT_IDX
    features = front_end.ask_u64(GET_FEATURES)

    assert bool(features & bit) == offered
    assert features & default & ~bit == default & ~bit
    front_end.close()


def test_behaviour_config_tells_what_is_set(start: Start, connect: Connect) -> None:
    sim = start(
        *["--profile", "nuttx", "--buffer-size", "256", "--seed", "7", "--check=off"],
    )

    config = connect(sim).call("config")

    assert config["profile"] == config["layout"] == "nuttx"
    assert config["seed"] == 7 and config["check"] == "off"
    assert config["features"] == FrontEnd(sim.socket_path).ask_u64(GET_FEATURES) & ~(
        1 << 30 | 1 << 26
    )


def test_behaviour_configure_gives_the_next_front_end_another_dialect(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start(
        *["--service", "one,addr=9", "--service", "two=sink", "--fault", "hdr-flags,after=1000"],
        *["--pace", "1:batch=4"],
    )
    control = connect(sim)

    answer = control.call(
        "configure", profile="openamp-bufsz", features=["-event-idx"], buffer_size_in=300
    )

    assert answer == control.call("config")
    assert (answer["profile"], answer["layout"]) == ("openamp-bufsz", "openamp")
    host = attach(sim)
    assert {host.receive_announcement(), host.receive_announcement()} == {
        ("one", 9, 0),
        ("two", 1024, 0),
    }
    set_fault = next(f for f in control.call("faults")["faults"] if f["name"] == "hdr-flags")
    assert (set_fault["mode"], set_fault["after"]) == ("always", 1000)


def test_behaviour_configure_of_addresses_gives_dynamic_ones_anew(
    start: Start, connect: Connect
) -> None:
    control = connect(start("--service", "a", "--service", "b", "--service", "c,addr=1"))

    control.call("configure", profile="rpmsg-lite")
    control.call("withdraw", name="b", addr=3)

    endpoints = control.call("stats")["endpoints"]
    assert [(e["name"], e["addr"]) for e in endpoints] == [("c", 1), ("a", 2)]


def test_behaviour_configure_with_a_front_end_is_refused(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    control = connect(sim)
    attach(sim)
    before = control.call("config")

    error = control.request("configure", {"profile": "nuttx"})["error"]

    assert (error["code"], error["data"]) == (REFUSED, {"errno": "EBUSY"})
    assert control.call("config") == before


def test_behaviour_configure_that_cannot_hold_the_services_changes_nothing(
    start: Start, connect: Connect
) -> None:
    control = connect(start("--service", "many,count=200"))

    error = control.request("configure", {"profile": "openamp"})["error"]  # 128 addresses

    assert error["code"] == REFUSED
    assert control.call("config")["profile"] == "linux"
    assert len(control.call("stats")["endpoints"]) == 200


# ---- parameters of services ----


def numbers(host: Host, count: int) -> list[tuple[int, int, int]]:
    """(source, destination, number) of the next messages, which a source sent."""
    seen = []
    for _ in range(count):
        src, dst, payload = host.receive()
        seen.append((src, dst, int.from_bytes(payload[:8], "little")))
    return seen


def test_behaviour_source_with_a_known_peer_speaks_first(start: Start, attach: Attach) -> None:
    host = attach(
        start("--service", "src=source,addr=9,peer=77,size=16,rate=0xffffffff,messages=3,quiet")
    )

    assert numbers(host, 3) == [(9, 77, 0), (9, 77, 1), (9, 77, 2)]


def test_behaviour_source_of_the_control_socket_takes_the_same_parameters(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    host, control = attach(sim), connect(sim)

    control.call(
        "announce", name="s", kind="source", addr=9, peer=77, size=100, rate=1000, messages=2
    )

    assert host.receive_announcement() == ("s", 9, 0)
    for _ in range(2):
        assert len(host.receive()[2]) == 100


def test_behaviour_quiet_service_is_there_and_not_announced(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "hidden,addr=9,quiet")
    host, control = attach(sim), connect(sim)

    host.send(5, 9, b"found")

    assert host.receive() == (9, 5, b"found")
    assert control.call("stats")["endpoints"][0]["announced"] is False


def test_behaviour_endpoints_are_created_and_destroyed_without_a_word(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start()
    host, control = attach(sim), connect(sim)
    control.call("events", types=["ns"])

    assert control.call("endpoint_create", addr=9) == {"name": "endpoint", "addr": 9}
    assert control.call("endpoint_create", kind="sink") == {"name": "endpoint", "addr": 1024}
    host.send(5, 9, b"here")
    assert host.receive() == (9, 5, b"here")
    assert control.call("endpoint_destroy", addr=9) == {"name": "endpoint", "addr": 9}

    assert [e["addr"] for e in control.call("stats")["endpoints"]] == [1024]
    assert control.request("endpoint_destroy", {"addr": 9})["error"]["data"]["errno"] == "ENOENT"
    assert control.events == []


# ---- pacing ----


def returned(host: Host, count: int) -> list[int]:
    """Descriptors of the next send buffers that come back."""
    seen: list[int] = []
    while len(seen) < count:
        seen += [index for index, _ in host.rings[OUTPUT].wait_used()]
    return seen


def test_behaviour_every_second_buffer_is_held_until_it_is_released(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "sink=sink,addr=9,quiet", "--pace", "1:every=2")
    host, control = attach(sim), connect(sim)
    control.call("events", types=["message"])

    sent = [host.send(5, 9, b"") for _ in range(4)]
    for _ in sent:
        control.event("message")

    assert control.call("stats")["queues"][OUTPUT]["held"] == 2
    assert control.call("release", queue=OUTPUT) == {"released": 2}
    host.wait_returned()
    assert set(sent) <= set(host.free)


def test_behaviour_released_buffers_come_back_reversed(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "sink=sink,addr=9,quiet", "--pace", "1:order=reversed")
    host, control = attach(sim), connect(sim)
    control.call("hold", queue=OUTPUT)
    control.call("events", types=["message"])
    sent = [host.send(5, 9, b"") for _ in range(4)]
    for _ in sent:
        control.event("message")

    control.call("release", queue=OUTPUT)

    assert returned(host, 4) == sent[::-1]


def shuffled(start: Start, connect: Connect, name: str, seed: int) -> list[int]:
    """The order in which eight held buffers come back."""
    sim = start(
        *["--service", "sink=sink,addr=9,quiet", "--pace", "1:order=shuffled"],
        *["--seed", str(seed)],
        name=name,
    )
    host, control = Host(FrontEnd(sim.socket_path)), connect(sim)
    host.start()
    control.call("hold", queue=OUTPUT)
    control.call("events", types=["message"])
    for _ in range(8):
        host.send(5, 9, b"")
    for _ in range(8):
        control.event("message")
    control.call("release", queue=OUTPUT)
    order = returned(host, 8)
    host.close()
    return order


def test_behaviour_shuffled_order_comes_from_the_seed(start: Start, connect: Connect) -> None:
    first, again = (shuffled(start, connect, name, 1) for name in ("first", "again"))
    others = [shuffled(start, connect, f"other{seed}", seed) for seed in (2, 3)]

    assert first == again
    assert sorted(first) == list(range(8))
    assert any(other != first for other in others)


def test_behaviour_delay_of_each_buffer_is_kept_to_the_microsecond(
    start: Start, attach: Attach
) -> None:
    sim = start("--service", "sink=sink,addr=9,quiet", "--pace", "1:delay_us=20000")
    host = attach(sim)

    began = time.monotonic()
    host.send(5, 9, b"")
    returned(host, 1)

    assert 0.02 <= time.monotonic() - began < DEADLINE_S


def test_behaviour_host_is_never_interrupted_when_told_so(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "sink=sink,addr=9,quiet")
    host, control = attach(sim), connect(sim)
    control.call("pace", queue=OUTPUT, interrupt="never")
    control.call("events", types=["returned"])

    index = host.send(5, 9, b"")
    control.event("returned")

    stats = control.call("stats")["queues"][OUTPUT]
    assert stats["returned"] == 1 and stats["calls"] == 0
    assert host.rings[OUTPUT].take_used() == [(index, 0)]


def test_behaviour_batches_share_an_interrupt(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "sink=sink,addr=9,quiet", "--pace", "1:batch=4")
    host, control = attach(sim), connect(sim)
    control.call("events", types=["returned"])

    calls = []
    for _ in range(8):
        host.send(5, 9, b"")
        control.event("returned")
        calls.append(control.call("stats")["queues"][OUTPUT]["calls"])

    assert calls == [0, 0, 0, 1, 1, 1, 1, 2]


def test_behaviour_pace_answers_what_holds_now(start: Start, connect: Connect) -> None:
    control = connect(start())

    paced = control.call("pace", queue=0, every=3, order="shuffled", delay_us=5, batch=2)
    none = control.call("pace", queue=0)

    assert paced == {
        "queue": 0,
        "every": 3,
        "order": "shuffled",
        "delay_us": 5,
        "interrupt": "normal",
        "interrupt_delay_us": 0,
        "batch": 2,
    }
    assert none == {**paced, "every": 0, "order": "in", "delay_us": 0, "batch": 0}


def test_behaviour_hold_every_is_a_pace_of_its_own(
    start: Start, connect: Connect, attach: Attach
) -> None:
    sim = start("--service", "sink=sink,addr=9,quiet")
    host, control = attach(sim), connect(sim)
    control.call("events", types=["message"])

    control.call("hold", queue=OUTPUT, every=1)
    host.send(5, 9, b"")
    control.event("message")

    assert control.call("stats")["queues"][OUTPUT]["held"] == 1
    control.call("hold", queue=OUTPUT, every=0)
    host.send(5, 9, b"")
    control.event("message")
    assert control.call("stats")["queues"][OUTPUT]["held"] == 1
