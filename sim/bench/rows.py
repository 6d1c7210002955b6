# SPDX-License-Identifier: BSD-2-Clause
"""
What is measured. A measurement is a name and two functions, ours and the limit's, of which each
gives one sample for every figure of the measurement; they are called in turn, round by round.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from programs import (
    Machine,
    ProgramError,
    beside,
    bench,
    host,
    host_command,
    instructions,
    one_way_service,
    sim,
)

#: Figures of one sample: name -> value.
Sample = dict[str, float | None]


@dataclass
class Context:
    """What a measurement may know."""

    machine: Machine
    seconds: float
    quick: bool


Measure = Callable[[Context], Sample]


@dataclass
class Measurement:
    """One or several figures that come from the same runs."""

    name: str
    #: figure -> (title, unit)
    figures: dict[str, tuple[str, str]]
    ours: Measure
    #: None: the figure stands alone
    limit: Measure | None = None
    limit_title: str = ""
    #: figure -> title, where its limit is another than that of the others
    limit_titles: dict[str, str] = field(default_factory=dict)
    #: False: repeats exactly, or needs no rounds
    rounds: bool = True
    #: so many times the rounds of the others, where a bound lies nearer than a few rounds tell
    times: int = 1
    group: str = field(default="")


ALL: list[Measurement] = []


def add(measurement: Measurement) -> None:
    """Add a row of the table."""
    ALL.append(measurement)


def rate(nanoseconds: float) -> float:
    """Units a second."""
    return 1e9 / nanoseconds


# ---- limits that are of interest by themselves ------------------------------------------------


def limit_of(name: str, *arguments: str) -> Measure:
    """rpmsg-bench NAME as a rate."""

    def measure(context: Context) -> Sample:
        answer = bench(context.machine, context.seconds, context.machine.two_cores, name, *arguments)
        return {"": rate(answer["ns"])}

    return measure


def named(name: str, measure: Measure) -> Measure:
    """The only sample of a measurement, under its figure's name."""
    return lambda context: {name: next(iter(measure(context).values()))}


for limit_name, limit_title, limit_unit in (
    ("memcpy", "memcpy of 512 bytes", "copies/s"),
    ("epoll", "empty wake-up of an event loop", "wake-ups/s"),
):
    add(
        Measurement(
            limit_name,
            {limit_name: (limit_title, limit_unit)},
            named(limit_name, limit_of(limit_name, *(["--size", "512"] if limit_name == "memcpy" else []))),
            group="limits",
        )
    )


# ---- round trips between two processes ---------------------------------------------------------


def echo(size: int, figures: tuple[str, str], one_core: bool) -> Measure:
    """Round trips of rpmsg-host to rpmsg-sim, notified."""

    def measure(context: Context) -> Sample:
        machine = context.machine
        cores = machine.one_core if one_core else machine.two_cores
        with sim(machine, cores[1], "--service", "echo") as remote:
            answer = host(machine, remote.socket, context.seconds, cores[0], "echo", "--size", str(size))
        return {figures[0]: answer["per_second"], figures[1]: answer["latency_us"]["p99"]}

    return measure


def ping_pong(figures: tuple[str, str], one_core: bool) -> Measure:
    """The same over eventfds alone."""

    def measure(context: Context) -> Sample:
        machine = context.machine
        cores = machine.one_core if one_core else machine.two_cores
        answer = bench(machine, context.seconds, cores, "eventfd")
        return {figures[0]: rate(answer["ns"]), figures[1]: answer["p99_ns"] / 1e3}

    return measure


for echo_size in (16, 496):
    for on_one_core in (False, True):
        echo_name = f"echo-{echo_size}" + ("-one-core" if on_one_core else "")
        where = "one core" if on_one_core else "two cores"
        echo_figures = (f"{echo_name}-rate", f"{echo_name}-p99")
        add(
            Measurement(
                echo_name,
                {
                    echo_figures[0]: (f"echo {echo_size} B, notified, {where}", "round trips/s"),
                    echo_figures[1]: ("  its 99th percentile", "us"),
                },
                echo(echo_size, echo_figures, on_one_core),
                ping_pong(echo_figures, on_one_core),
                "eventfd ping-pong",
                group="processes",
            )
        )


def echo_polled(size: int, name: str) -> Measure:
    """Round trips with both sides looking at the rings all the time."""

    def measure(context: Context) -> Sample:
        machine = context.machine
        cores = machine.two_cores
        with sim(machine, cores[1], "--service", "echo", "--poll=1000") as remote:
            answer = host(
                machine, remote.socket, context.seconds, cores[0], "echo", "--size", str(size), "--poll"
            )
        return {name: answer["per_second"]}

    return measure


for polled_size in (16, 496):
    polled_name = f"echo-{polled_size}-polled"
    add(
        Measurement(
            polled_name,
            {polled_name: (f"echo {polled_size} B, busy-polled", "round trips/s")},
            echo_polled(polled_size, polled_name),
            named(polled_name, limit_of("flag")),
            "polled flag",
            group="processes",
        )
    )


def one_way(mode: str, name: str) -> Measure:
    """496 bytes one way, batched."""
    service = one_way_service(mode, 496)

    def measure(context: Context) -> Sample:
        machine = context.machine
        cores = machine.two_cores
        with sim(machine, cores[1], "--service", service) as remote:
            answer = host(
                machine, remote.socket, context.seconds, cores[0], mode, "--mode", mode, "--size", "496"
            )
        return {name: answer["per_second"]}

    return measure


for way, way_title in (("sink", "host to remote"), ("source", "remote to host")):
    add(
        Measurement(
            f"{way}-496",
            {f"{way}-496": (f"496 B one way, {way_title}", "messages/s")},
            one_way(way, f"{way}-496"),
            named(f"{way}-496", limit_of("ring")),
            "one-way ring of 512-byte slots",
            group="processes",
        )
    )


# ---- the device side in one thread ---------------------------------------------------------------


def device(name: str, *arguments: str) -> Measure:
    """Echoes of the remote, the device side alone."""
    return named(name, limit_of("device", *arguments))


add(
    Measurement(
        "device",
        {"device": ("echo 496 B, device side, one thread", "echoes/s")},
        device("device"),
        named("device", limit_of("bare")),
        "bare split ring",
        times=3,
        group="thread",
    )
)


def counted(name: str, *arguments: str, divide: int = 1) -> Measure:
    """Instructions, by callgrind."""

    def measure(context: Context) -> Sample:
        count = instructions(context.machine, context.quick, *arguments)
        return {name: None if count is None else count / divide}

    return measure


# An echo is two messages: one out of the host, one into it.
for counted_name, counted_title, counted_what, counted_divide in (
    ("device-instructions", "  its instructions a message, of two an echo", "device", 2),
    ("echo-instructions", "  its instructions an echo", "device", 1),
    ("sink-instructions", "message to a sink, its instructions", "sink", 1),
):
    add(
        Measurement(
            counted_name,
            {counted_name: (counted_title, "instructions")},
            counted(counted_name, counted_what, divide=counted_divide),
            counted(counted_name, "bare", divide=counted_divide) if counted_what == "device" else None,
            "bare split ring",
            rounds=False,
            group="thread",
        )
    )

for switch_name, switch_title, ours_arguments, limit_arguments, switch_limit in (
    ("checker", "checker on", (), ("--no-check",), "checker off"),
    ("faults", "20 faults armed, none due", ("--faults", "20"), (), "no fault"),
):
    add(
        Measurement(
            switch_name,
            {switch_name: (f"{switch_title}, device side", "echoes/s")},
            device(switch_name, *ours_arguments),
            device(switch_name, *limit_arguments),
            switch_limit,
            times=3,
            group="thread",
        )
    )

for endpoints in (100, 10000, 65536):
    add(
        Measurement(
            f"endpoints-{endpoints}",
            {f"endpoints-{endpoints}": (f"{endpoints} endpoints, device side", "echoes/s")},
            device(f"endpoints-{endpoints}", "--endpoints", str(endpoints)),
            device(f"endpoints-{endpoints}"),
            "one endpoint",
            # 4 MB that lie now here, now there in caches that others use, too.
            times=3 if endpoints == 65536 else 1,
            group="thread",
        )
    )

for entries in (1, 16, 32768):
    add(
        Measurement(
            f"ring-{entries}",
            {f"ring-{entries}": (f"rings of {entries}, device side", "echoes/s")},
            device(f"ring-{entries}", "--ring", str(entries)),
            named(f"ring-{entries}", limit_of("bare", "--ring", str(entries))),
            "bare split ring",
            group="thread",
        )
    )

for payload in (1, 64, 65520):
    add(
        Measurement(
            f"payload-{payload}",
            {f"payload-{payload}": (f"payload of {payload} B, device side", "echoes/s")},
            device(f"payload-{payload}", "--size", str(payload)),
            named(f"payload-{payload}", limit_of("bare", "--size", str(payload))),
            "bare split ring",
            group="thread",
        )
    )


def announce(context: Context) -> Sample:
    """65 536 channels."""
    answer = bench(
        context.machine, context.seconds, context.machine.two_cores, "announce", "--endpoints", "65536"
    )
    return {"announce-growth": rate(answer["ns"]), "endpoint-bytes": answer["bytes"]}


def announce_few(context: Context) -> Sample:
    """A sixteenth of them."""
    answer = bench(
        context.machine, context.seconds, context.machine.two_cores, "announce", "--endpoints", "4096"
    )
    return {"announce-growth": rate(answer["ns"])}


add(
    Measurement(
        "announce",
        {
            "announce-growth": ("announcing 65 536 channels", "channels/s"),
            "endpoint-bytes": ("  their table, for each endpoint", "bytes"),
        },
        announce,
        announce_few,
        "announcing 4096 channels",
        group="thread",
    )
)


# ---- what is switched on beside the messages -------------------------------------------------------

#: Many messages on their way, so that it is the remote's work that counts.
BUSY = ("echo", "--size", "496", "--batch", "32", "--window", "128")


def busy(name: str, *arguments: str, watch: bool = False) -> Measure:
    """Echoes, 128 on their way."""

    def measure(context: Context) -> Sample:
        machine = context.machine
        cores = machine.two_cores
        with contextlib.ExitStack() as stack:
            remote = stack.enter_context(sim(machine, cores[1], "--service", "echo", *arguments))
            if watch:
                command = [machine.path("rpmsg-ctl"), "--control-path", str(remote.control)]
                stack.enter_context(beside([*command, "watch", "--interval", "0.1"], cores[0], speaks=True))
            answer = host(machine, remote.socket, context.seconds, cores[0], *BUSY)
        return {name: answer["per_second"]}

    return measure


#: What a capture holds of an echo of 496 bytes: two packets with their headers, and notes on a service.
CAPTURED = 2 * (16 + 16 + 2 * len("..echo") + 16 + 496)


def into_file(name: str) -> Measure:
    """The bytes of a capture alone, into a file in the same folder as captures go to."""

    def measure(context: Context) -> Sample:
        machine = context.machine
        with tempfile.TemporaryDirectory(prefix="rpmsg-bench.") as folder:
            arguments = ("file", "--size", str(CAPTURED), "--file", f"{folder}/file")
            answer = bench(machine, context.seconds, machine.two_cores, *arguments)
        return {name: rate(answer["ns"])}

    return measure


def captured(context: Context) -> Sample:
    """Round trips while all of them are captured."""
    sample = busy("capture", "--capture", "{folder}/capture.pcap")(context)
    return {**sample, "capture-file": sample["capture"]}


def not_captured(context: Context) -> Sample:
    """Round trips without a capture, and the file without round trips."""
    return {**busy("capture")(context), **into_file("capture-file")(context)}


add(
    Measurement(
        "capture",
        {
            "capture": ("capture on", "round trips/s"),
            "capture-file": ("  the same, beside its file", "round trips/s"),
        },
        captured,
        not_captured,
        "no capture",
        limit_titles={"capture-file": "write() of the same bytes"},
        group="processes",
    )
)
add(
    Measurement(
        "subscriber",
        {"subscriber": ("rpmsg-ctl watch, 10 times a second", "round trips/s")},
        busy("subscriber", watch=True),
        busy("subscriber"),
        "nobody watches",
        times=3,
        group="processes",
    )
)


# ---- several remotes ---------------------------------------------------------------------------------


def several(name: str, count: int) -> Measure:
    """Rate of as many hosts as remotes in one process, all together."""

    def measure(context: Context) -> Sample:
        machine = context.machine
        cores = machine.two_cores
        with contextlib.ExitStack() as stack:
            # With several hosts nobody polls: like is compared with like.
            remote = stack.enter_context(
                sim(machine, cores[1], "--service", "echo", remotes=count, shared=("--poll=0",))
            )
            for socket in remote.sockets:
                stack.enter_context(beside(host_command(machine, socket, 3600, *BUSY, "--sleep"), None))
            # Counted while all of them are at work.
            remote.wait_all_busy()
            before, begun = remote.received(), time.monotonic()
            time.sleep(context.seconds)
            done, taken = remote.received() - before, time.monotonic() - begun
        return {name: done / taken}

    return measure


for remotes in (8, 64):
    add(
        Measurement(
            f"remotes-{remotes}",
            {f"remotes-{remotes}": (f"{remotes} remotes in one process, together", "round trips/s")},
            several(f"remotes-{remotes}", remotes),
            several(f"remotes-{remotes}", 1),
            "one remote",
            group="remotes",
        )
    )


def idle(context: Context) -> Sample:
    """64 remotes, each with a host that says nothing."""
    machine = context.machine
    count = 8 if context.quick else 64
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(sim(machine, None, "--service", "echo"))
        alone = one.private_kib()
        many = stack.enter_context(sim(machine, None, "--service", "echo", remotes=count))
        for socket in many.sockets:
            command = [machine.path("rpmsg-host"), "--socket-path", str(socket), "--timeout", "60"]
            stack.enter_context(beside([*command, "listen"], None))
        # Quiet once nothing has happened for a while; hosts take their time to start.
        before, since, begun = many.wakeups(), time.monotonic(), time.monotonic()
        while time.monotonic() - since < (0.2 if context.quick else 1.0):
            time.sleep(0.05)
            now = many.wakeups()
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - begun > 30:
                raise ProgramError("64 idle remotes do not come to rest")
        memory = (many.private_kib() - alone) / (count - 1)
        time.sleep(0.2 if context.quick else 5.0)
        wakeups = float(many.wakeups() - before)
    return {"idle-wakeups": wakeups, "idle-memory": memory}


add(
    Measurement(
        "idle",
        {
            "idle-wakeups": ("64 connected, idle remotes: wake-ups in 5 s", "wake-ups"),
            "idle-memory": ("  memory of each", "KiB"),
        },
        idle,
        rounds=False,
        group="remotes",
    )
)


# ---- begin and end -----------------------------------------------------------------------------------


def start(context: Context) -> Sample:
    """From fork to sockets that listen."""
    with sim(context.machine, context.machine.cores[-1], "--service", "echo") as remote:
        return {"start": remote.ready * 1e3}


def start_of_nothing(context: Context) -> Sample:
    """A program that ends at once."""
    begun = time.monotonic()
    subprocess.run(["/bin/true"], check=True)
    return {"start": (time.monotonic() - begun) * 1e3}


add(
    Measurement(
        "start",
        {"start": ("start to ready", "ms")},
        start,
        start_of_nothing,
        "/bin/true",
        group="processes",
    )
)


def reconnects(context: Context) -> Sample:
    """Whole sessions, one after the other."""
    machine = context.machine
    cores = machine.two_cores
    with sim(machine, cores[1], "--service", "echo") as remote:
        answer = bench(
            machine, context.seconds, cores, "reconnect", "--socket-path", str(remote.socket)
        )
    return {"reconnects": rate(answer["ns"])}


add(
    Measurement(
        "reconnects",
        {"reconnects": ("reconnects, handshake included", "sessions/s")},
        reconnects,
        group="processes",
    )
)
