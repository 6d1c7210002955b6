# SPDX-License-Identifier: BSD-2-Clause
"""Several remotes in one process: sockets and services of their own, events that name them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from daemon_frontend import DEADLINE_S, Attach, Connect, FrontEnd, Host, Run, Sim, Start
from test_daemon_capture import dissect, only, payload

REMOTES = 64
BAD_PARAMS = -32602


def sections(folder: Path, names: list[str], *options: str) -> list[str]:
    """Arguments for remotes with a socket each, NAME.sock, and the same options."""
    arguments: list[str] = []
    for name in names:
        arguments += ["--remote", name, "--socket-path", str(folder / f"{name}.sock"), *options]
    return arguments


def host_of(sim: Sim, name: str) -> Host:
    host = Host(FrontEnd(sim.socket_path.parent / f"{name}.sock"))
    host.start()
    return host


def test_remotes_sixty_four_are_served_at_the_same_time(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    names = [f"r{number}" for number in range(REMOTES)]
    arguments: list[str] = []
    for number, name in enumerate(names):
        arguments += sections(tmp_path, [name], "--service", f"echo-{name},addr={2000 + number}")
    sim = start(*arguments)

    hosts = [host_of(sim, name) for name in names]

    for number, (name, host) in enumerate(zip(names, hosts, strict=True)):
        assert host.receive_announcement() == (f"echo-{name}", 2000 + number, 0)
    for number, host in enumerate(hosts):
        host.send(1024, 2000 + number, name.encode())
    for number, host in enumerate(hosts):
        assert host.receive() == (2000 + number, 1024, name.encode())
    control = connect(sim)
    remotes = control.call("remotes")["remotes"]
    assert [remote["name"] for remote in remotes] == names
    assert all(remote["driver_ok"] for remote in remotes)
    for name in names:
        messages = control.call("stats", remote=name)["messages"]
        assert (messages["received"], messages["delivered"]) == (1, 1)
    for host in hosts:
        host.close()


def test_remotes_each_has_the_services_of_its_section(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    control = connect(
        start(
            *sections(tmp_path, ["a"], "--service", "same,addr=7"),
            *sections(tmp_path, ["b"], "--service", "same=sink,addr=7", "--service", "more"),
        )
    )

    def services(remote: str) -> list[tuple[str, int, str]]:
        endpoints = control.call("stats", remote=remote)["endpoints"]
        return [(entry["name"], entry["addr"], entry["kind"]) for entry in endpoints]

    assert services("a") == [("same", 7, "echo")]
    assert services("b") == [("same", 7, "sink"), ("more", 1024, "echo")]


def test_remotes_methods_act_on_the_one_that_is_named_else_on_the_first(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    control = connect(start(*sections(tmp_path, ["a", "b"])))

    control.call("announce", name="there", addr=5, remote="b")
    control.call("announce", name="here", addr=6)

    assert [e["name"] for e in control.call("stats", remote="a")["endpoints"]] == ["here"]
    assert [e["name"] for e in control.call("stats", remote="b")["endpoints"]] == ["there"]


@pytest.mark.parametrize("remote", ["c", "", 5, None])
def test_remotes_unknown_one_is_refused_by_name(
    start: Start, connect: Connect, tmp_path: Path, remote: Any
) -> None:
    control = connect(start(*sections(tmp_path, ["a", "b"])))

    code, text = control.error("announce", {"name": "x", "remote": remote})

    assert code == BAD_PARAMS and text.startswith("params.remote: ")
    assert all(not control.call("stats", remote=name)["endpoints"] for name in "ab")


def test_remotes_options_before_the_first_section_make_one_of_their_own(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    default = tmp_path / "default.sock"

    control = connect(
        start("--socket-path", str(default), "--service", "x", *sections(tmp_path, ["b"]))
    )

    remotes = control.call("remotes")["remotes"]
    assert [remote["name"] for remote in remotes] == ["remote", "b"]
    assert remotes[0]["socket_path"] == str(default)


def test_remotes_events_name_theirs_and_can_be_limited_to_one(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    sim = start(*sections(tmp_path, ["a", "b"]))
    of_all, of_b = connect(sim), connect(sim)
    of_all.call("events", types=["connected", "disconnected"])
    of_b.call("events", types=["connected", "disconnected"], remote="b")

    for name in "aba":
        FrontEnd(tmp_path / f"{name}.sock").close()
        assert of_all.event("connected")["remote"] == name
        assert of_all.event("disconnected")["remote"] == name

    assert [of_b.read()["params"]["remote"] for _ in range(2)] == ["b", "b"]
    of_b.call("stats")
    assert of_b.events == []


def test_remotes_one_that_is_reset_leaves_the_others_alone(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    sim = start(*sections(tmp_path, ["a", "b"], "--service", "echo,addr=9"))
    first, second = host_of(sim, "a"), host_of(sim, "b")
    first.receive_announcement()
    second.receive_announcement()

    first.front_end.sock.sendall(b"\xff" * 64)  # ends this connection

    assert first.front_end.closed_by_peer()
    second.send(1024, 9, b"alive")
    assert second.receive() == (9, 1024, b"alive")
    first.close()
    second.close()


def test_remotes_log_lines_name_theirs(start: Start, tmp_path: Path) -> None:
    sim = start(*sections(tmp_path, ["left", "right"]))

    FrontEnd(tmp_path / "right.sock").close()

    while "front-end disconnected" not in sim.log_text():
        pass
    assert "right: front-end connected" in sim.log_text()
    assert "left: front-end" not in sim.log_text()


def test_remotes_capture_names_theirs(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "both.pcap"
    sim = start("--capture", str(path), *sections(tmp_path, ["a", "b"], "--service", "e,addr=9"))
    for name in "ab":
        host = host_of(sim, name)
        host.receive_announcement()
        host.send(1024, 9, name.encode())
        host.receive()
        host.close()
    assert sim.stop() == 0

    messages = dissect(path, "rpmsg.payload")

    assert [(only(m, "rpmsg.remote"), payload(m)) for m in messages] == [
        ("a", b"a"),
        ("a", b"a"),
        ("b", b"b"),
        ("b", b"b"),
    ]


def test_remotes_once_ends_after_the_first_front_end_of_each(start: Start, tmp_path: Path) -> None:
    sim = start("--once", *sections(tmp_path, ["a", "b"]))

    FrontEnd(tmp_path / "b.sock").close()
    FrontEnd(tmp_path / "a.sock").close()

    assert sim.process.wait(DEADLINE_S) == 0


def test_remotes_sockets_of_all_are_removed_at_the_end(start: Start, tmp_path: Path) -> None:
    sim = start(*sections(tmp_path, ["a", "b", "c"]))

    assert sim.stop() == 0

    assert not list(tmp_path.glob("*.sock*"))


def test_remotes_path_in_use_by_the_last_leaves_nothing_behind(
    start: Start, run: Run, tmp_path: Path
) -> None:
    taken = start().socket_path
    other = tmp_path / "other"
    other.mkdir()

    result = run(*sections(other, ["a", "b"]), "--remote", "c", "--socket-path", str(taken))

    assert result.returncode == 1
    assert f"{taken} is served by another process" in result.stderr
    assert not list(other.iterdir())


MISTAKES = {
    "no_socket": (["--remote", "a", "--socket-path", "s", "--remote", "b"], "remote b has no"),
    "default_without_socket": (
        ["--service", "x", "--remote", "a", "--socket-path", "s"],
        "remote remote has no socket: give --socket-path PATH or --fd N with the options before",
    ),
    "same_name": (["--remote", "a", "--socket-path", "s", "--remote", "a"], "two remotes are"),
    "same_path": (
        ["--remote", "a", "--socket-path", "s", "--remote", "b", "--socket-path", "s"],
        "remotes a and b are given the same --socket-path, s",
    ),
    "same_fd": (
        ["--remote", "a", "--fd", "7", "--remote", "b", "--fd", "7"],
        "remotes a and b are given the same descriptor, 7",
    ),
    "bad_name": (["--remote", "a b"], '"a b" is no name'),
    "long_name": (["--remote", "n" * 32], "is no name"),
    "empty_name": (["--remote", ""], '"" is no name'),
    "too_many": ([f"--remote=r{n}" for n in range(258)], "more than 256 remotes"),
    "path_twice": (
        ["--remote", "a", "--socket-path", "s", "--socket-path", "t"],
        "--socket-path is given twice",
    ),
}


@pytest.mark.parametrize("args, message", MISTAKES.values(), ids=MISTAKES.keys())
def test_remotes_mistake_gets_one_line_and_status_2(
    run: Run, tmp_path: Path, args: list[str], message: str
) -> None:
    result = run(*args, cwd=tmp_path)

    assert result.returncode == 2
    assert message in result.stderr and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_remotes_qemu_args_attach_one_guest_to_all(run: Run) -> None:
    result = run("--print-qemu-args", *sections(Path("/run"), ["a", "b"]))

    assert result.returncode == 0
    words = result.stdout.split()
    assert words.count("-machine") == 1
    assert "socket,id=rpmsg-a,path=/run/a.sock" in words
    assert "socket,id=rpmsg-b,path=/run/b.sock" in words
    assert sum("chardev=rpmsg-a,virtio-id=7" in word for word in words) == 1
