# SPDX-License-Identifier: BSD-2-Clause
"""How a scenario is carried out: triggers, actions, expectations, its end, its exit status."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from daemon_frontend import HEADER, OUTPUT, Connect, FrontEnd, Host, Run, Start
from scenario_support import ECHO_ADDR, HOST_ADDR, Play, answer, converse, ended, host_of, shove

pytest_plugins = ("scenario_fixtures",)

ECHO = "services: [{name: rpmsg-echo, addr: 1024}]\n"


def burst(host: Host, payloads: list[bytes]) -> None:
    """Make several messages available by one store, and kick once."""
    ring = host.rings[OUTPUT]
    for index, payload in enumerate(payloads):
        at = ring.buffer(index)
        header = HEADER.pack(HOST_ADDR, ECHO_ADDR, 0, len(payload), 0)
        host.memory[at : at + len(header) + len(payload)] = header + payload
        ring.describe(index, host.GUEST + at, len(header) + len(payload), 0)
        struct.pack_into("<H", host.memory, ring.avail + 4 + 2 * index, index)
    ring.avail_idx = len(payloads)
    host.memory[ring.avail + 2 : ring.avail + 4] = ring.avail_idx.to_bytes(2, "little")
    ring.notify()


# ---- triggers and actions ------------------------------------------------------------------------


def test_scenario_run_action_comes_between_two_messages_of_a_burst(play: Play) -> None:
    send = "send: {src: 1024, dst: 0x700, data: beef}"
    sim = play(f"{ECHO}actions:\n  - when: {{messages: 3}}\n    {send}\n")
    host = host_of(sim, size=16)
    host.receive()

    burst(host, [b"%d" % n for n in range(6)])

    received = [answer(host) for _ in range(7)]
    assert received == [b"0", b"1", b"2", b"\xbe\xef", b"3", b"4", b"5"]
    host.close()
    ended(sim)


def test_scenario_run_action_repeats_as_often_as_it_says(play: Play) -> None:
    sim = play(
        f"{ECHO}actions:\n  - when: {{messages: 2}}\n    repeat: 2\n"
        "    send: {src: 1, dst: 0x700, data: '00'}\n"
        "expect: [{event: sent, where: {src: 1}, exactly: 2}]\n"
    )

    shove(sim, [b"x"] * 9)

    ended(sim)


def test_scenario_run_action_may_set_off_another(play: Play) -> None:
    sim = play(
        "actions:\n"
        "  - {when: {event: driver_ok}, announce: {name: a, addr: 100}}\n"
        "  - {when: {event: ns, where: {name: a}}, announce: {name: b, addr: 101}}\n"
        "  - {when: {event: ns, where: {name: b}}, announce: {name: c, addr: 102}}\n"
    )
    host = host_of(sim)

    assert [host.receive_announcement()[0] for _ in range(3)] == ["a", "b", "c"]

    host.close()
    ended(sim)


def test_scenario_run_action_that_is_refused_fails_the_scenario(play: Play) -> None:
    sim = play(f"{ECHO}actions:\n  - when: {{messages: 1}}\n    withdraw: {{name: nobody}}\n")

    shove(sim, [b"x"])

    path = sim.log.with_suffix(".yaml")
    assert f"{path}:4: actions[0].withdraw.name: no service is named nobody" in ended(sim, 1)


def test_scenario_run_crash_counts_as_a_front_end_that_left(play: Play) -> None:
    sim = play(f"{ECHO}actions:\n  - when: {{messages: 1}}\n    crash: {{}}\n")
    host = host_of(sim)

    host.send(HOST_ADDR, ECHO_ADDR, b"x")

    assert host.front_end.closed_by_peer()
    ended(sim)
    host.close()


def test_scenario_run_configures_between_two_sessions(play: Play) -> None:
    sim = play(
        "services: [{name: a}]\nend: {sessions: 2}\n"
        "actions:\n  - when: {event: disconnected}\n    configure: {profile: rpmsg-lite}\n"
    )
    addresses = []
    for _ in range(2):
        host = host_of(sim)
        addresses.append(host.receive_announcement()[1])
        host.close()

    assert addresses == [1024, 1]
    ended(sim)


@pytest.mark.parametrize("where", ["dst: 1024", "dst: 0x400", "text: go", "data: 676F", "len: 2"])
def test_scenario_run_member_may_be_written_in_any_way(where: str, play: Play) -> None:
    sim = play(f"{ECHO}expect:\n  - {{event: message, where: {{{where}}}, exactly: 1}}\n")

    shove(sim, [b"go"])

    ended(sim)


# ---- expectations --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        ("counter: delivered, exactly: 3", "delivered: expected exactly 3, seen 2"),
        ("counter: delivered, at_least: 3", "delivered: expected at least 3, seen 2"),
        ("counter: received, at_least: 4, at_most: 9", "received: expected 4 to 9, seen 3"),
        (
            "counter: dropped-no-endpoint, exactly: 0",
            "dropped-no-endpoint: expected exactly 0, seen 1",
        ),
        ("violation: any", "violation of any rule: expected at least 1, seen 0"),
        ("fault: hdr-flags", "fault hdr-flags: expected at least 1, seen 0"),
        ("announced: channel", 'event ns {"direction":"from-host","action":"create",'),
        (
            "event: message, where: {text: x}, exactly: 0",
            'event message {"data":"78"}: expected exactly 0, seen 2',
        ),
        ("echo: 1024, at_least: 3", "messages echoed by 1024: expected at least 3, seen 2"),
        (
            "sequence: [{event: driver_ok}, {event: message}, {event: reset}]",
            "sequence: expected 3 events in order, seen 2; event reset (entry 2) did not follow",
        ),
    ],
)
def test_scenario_run_expectation_that_does_not_hold_is_printed(
    expect: str, said: str, play: Play
) -> None:
    sim = play(f"{ECHO}expect:\n  - {{{expect}}}\n")
    host = host_of(sim)
    converse(host, ECHO_ADDR, [b"x", b"x"])
    host.send(HOST_ADDR, 4000, b"y")
    host.wait_returned()
    host.close()

    log = ended(sim, 1)

    assert f"{sim.log.with_suffix('.yaml')}:3: expect[0]: {said}" in log


def test_scenario_run_answer_that_is_no_echo_is_never_right(play: Play) -> None:
    sim = play(
        "services: [{name: a, kind: tty-zephyr, addr: 1024}]\n"
        "expect: [{echo: 1024, at_least: 0}]\n"
    )
    host = host_of(sim)
    converse(host, ECHO_ADDR, [b"x"])
    host.close()

    assert "and 1 that were not echoes" in ended(sim, 1)


def test_scenario_run_ends_as_soon_as_expectations_hold(play: Play) -> None:
    sim = play(f"{ECHO}expect: [{{echo: 1024, at_least: 2}}]\nend: {{on: expectations}}\n")
    host = host_of(sim)
    converse(host, ECHO_ADDR, [b"1", b"2"])

    assert host.front_end.closed_by_peer()

    ended(sim)
    host.close()


def test_scenario_run_is_judged_at_a_signal(play: Play) -> None:
    sim = play(f"{ECHO}expect: [{{counter: delivered, exactly: 1}}]\n")
    host = host_of(sim)
    converse(host, ECHO_ADDR, [b"1"])

    assert sim.stop() == 0

    assert "all 1 expectations hold" in sim.log_text()
    host.close()


# ---- with options --------------------------------------------------------------------------------


@pytest.mark.parametrize(("options", "seed"), [((), 7), (("--seed", "9"), 9)])
def test_scenario_run_seed_of_the_command_line_wins(
    options: tuple[str, ...], seed: int, play: Play, connect: Connect
) -> None:
    sim = play("seed: 7\nend: {on: disconnect}\n", *options)

    assert connect(sim).call("config")["seed"] == seed


@pytest.mark.parametrize(("options", "check"), [((), "off"), (("--check", "report"), "report")])
def test_scenario_run_check_of_the_command_line_wins(
    options: tuple[str, ...], check: str, play: Play, connect: Connect
) -> None:
    sim = play("check: off\nprofile: nuttx\n", *options)

    assert connect(sim).call("config")["check"] == check


def test_scenario_run_services_and_faults_of_the_command_line_stay(
    play: Play, connect: Connect
) -> None:
    sim = play(ECHO + "seed: 1\n", "--service", "more=sink,addr=9", "--fault", "hdr-flags,once")

    stats = connect(sim).call("stats")

    assert [entry["addr"] for entry in stats["endpoints"]] == [9, 1024]
    shove(sim, [b"x"])
    ended(sim)


def several(tmp_path: Path, *texts: str) -> list[str]:
    """Options for as many remotes, each with a scenario."""
    options = []
    for number, text in enumerate(texts):
        path = tmp_path / f"r{number}.yaml"
        path.write_text(text)
        options += ["--remote", f"r{number}", "--socket-path", str(tmp_path / f"r{number}.s")]
        options += ["--scenario", str(path)]
    return options


def test_scenario_run_each_remote_may_have_one(start: Start, tmp_path: Path) -> None:
    one = f"{ECHO}expect: [{{counter: delivered, exactly: 1}}]\n"
    two = f"{ECHO}expect: [{{counter: delivered, exactly: 2}}]\n"
    sim = start(*several(tmp_path, one, two))
    for number in range(2):
        host = Host(FrontEnd(tmp_path / f"r{number}.s"))
        host.start()
        converse(host, ECHO_ADDR, [b"x"] * (number + 1))
        assert sim.process.poll() is None  # the last to end ends the program
        host.close()

    log = ended(sim)

    assert log.count("expectations hold") == 2


def test_scenario_run_one_remote_that_fails_is_enough(start: Start, tmp_path: Path) -> None:
    text = f"{ECHO}expect: [{{counter: delivered, exactly: 1}}]\n"
    sim = start(*several(tmp_path, text, text))
    for number in range(2):
        host = Host(FrontEnd(tmp_path / f"r{number}.s"))
        host.start()
        converse(host, ECHO_ADDR, [b"x"] * (number + 1))
        host.close()

    log = ended(sim, 1)

    assert f"{tmp_path / 'r1.yaml'}:2: expect[0]: delivered: expected exactly 1, seen 2" in log


def test_scenario_run_needs_no_more_system_calls_than_serving(
    play: Play, instrumented: bool
) -> None:
    sim = play(
        f"{ECHO}scripts: [{{name: s, rules: [{{reply_text: a, delay_us: 100}}]}}]\n"
        "actions:\n"
        "  - {when: {event: driver_ok}, announce: {name: s, kind: script, script: s, addr: 9}}\n"
        "  - {when: {after_ms: 1}, fault_set: {name: hdr-reserved, mode: once}}\n"
        "  - {when: {messages: 1, after_ms: 1}, hold: {queue: 1}}\n"
        "  - {when: {messages: 2, after_ms: 1}, release: {queue: 1}}\n"
        "expect: [{counter: sent, exactly: 0}, {echo: 1024}, {violation: none}]\n",
        # A sanitizer makes calls of its own.
        f"--sandbox={'off' if instrumented else 'on'}",
    )
    host = host_of(sim)
    converse(host, ECHO_ADDR, [b"x", b"y"])
    assert converse(host, 9, [b"z"]) == [b"a"]
    host.wait_returned()
    host.close()

    log = ended(sim, 1)

    assert log.count("expect[") == 1 and "expect[0]: sent: expected exactly 0" in log


# ---- scripts -------------------------------------------------------------------------------------


def test_scenario_run_script_is_there_for_control_clients(
    play: Play, connect: Connect
) -> None:
    sim = play("scripts: [{name: s, rules: [{reply_text: yes}]}]\n")
    control = connect(sim)

    control.call("announce", name="a", kind="script", script="s", addr=9)

    assert control.error("announce", {"name": "b", "kind": "script", "script": "t"}) == (
        -32602,
        'params.script: no scenario of this remote has a script "t"',
    )
    host = host_of(sim)
    assert converse(host, 9, [b"?"]) == [b"yes"]
    host.close()
    ended(sim)


def test_scenario_run_script_begins_anew_in_each_session(play: Play) -> None:
    sim = play(
        "services: [{name: a, kind: script, script: s, addr: 9}]\nend: {sessions: 2}\n"
        "scripts:\n  - name: s\n    rules:\n"
        "      - {in: start, times: 1, reply_text: once, next: later}\n"
        "      - {in: later, times: 1, reply_text: twice}\n"
        "      - {echo: true}\n"
    )
    for _ in range(2):
        host = host_of(sim)
        assert converse(host, 9, [b"1", b"2", b"3"]) == [b"once", b"twice", b"3"]
        host.close()

    ended(sim)


def test_scenario_run_script_drops_what_it_cannot_keep_in_mind(play: Play) -> None:
    sim = play(
        "services: [{name: a, kind: script, script: s, addr: 1024}]\n"
        "scripts: [{name: s, rules: [{reply_text: late, delay_us: 3000000000}]}]\n"
        "expect: [{counter: delivered, exactly: 32}, {counter: dropped-service, exactly: 3}]\n"
    )

    shove(sim, [b"x"] * 35)

    ended(sim)


def test_scenario_run_script_takes_what_no_rule_fits_in_silence(play: Play) -> None:
    sim = play(
        "services: [{name: a, kind: script, script: s, addr: 1024}]\n"
        "scripts: [{name: s, rules: [{text: a, echo: true}]}]\n"
        "expect: [{counter: delivered, exactly: 2}, {event: sent, where: {src: 1024, len: 1}}]\n"
    )

    shove(sim, [b"b", b"a"])

    ended(sim)


# ---- QEMU ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"), [("profile: linux-bufsz", 11), ("seed: 1", 0), ("layout: linux", 11)]
)
def test_scenario_run_qemu_gets_the_configuration_of_the_file(
    text: str, size: int, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(text)

    done = run("--socket-path", "/tmp/s", "--scenario", str(path), "--print-qemu-args")

    assert done.returncode == 0
    assert done.stdout.rstrip().endswith(f",config_size={size}")


def test_scenario_run_qemu_gets_nothing_of_a_bad_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("profile: x\n")

    done = run("--socket-path", "/tmp/s", "--scenario", str(path), "--print-qemu-args")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"rpmsg-sim: {path}:1: profile: there is no profile")
