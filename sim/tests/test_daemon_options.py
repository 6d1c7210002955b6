# SPDX-License-Identifier: BSD-2-Clause
"""Command line of rpmsg-sim: what each mistake gets, and what the printing options print."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from daemon_frontend import Run

USAGE_ERRORS = {
    "nothing_to_serve": ([], "give --socket-path PATH or --fd N"),
    "unknown_option": (["--bogus"], "unknown option --bogus"),
    "unknown_option_with_value": (["--bogus=1"], "unknown option --bogus:"),
    "abbreviated_option": (["--sock", "x"], "unknown option --sock"),
    "short_option": (["-h"], 'unexpected argument "-h"'),
    "stray_argument": (["--socket-path", "a", "b"], 'unexpected argument "b"'),
    "missing_value": (["--socket-path"], "--socket-path needs a value: PATH"),
    "surplus_value": (["--once=yes"], "--once takes no value"),
    "given_twice": (["--socket-path", "a", "--socket-path", "b"], "--socket-path is given twice"),
    "both_sockets": (["--socket-path", "a", "--fd", "3"], "--socket-path and --fd exclude"),
    "same_file": (["--socket-path", "a", "--control-path", "a"], "are the same file, a"),
    "same_descriptor": (["--fd", "3", "--ready-fd", "3"], "are the same descriptor, 3"),
    "empty_path": (["--socket-path", ""], "--socket-path: the path is empty"),
    "long_path": (["--socket-path", "x" * 108], "108 bytes long, a unix socket's has at most 107"),
    "fd_not_a_number": (["--fd", "three"], '--fd: "three" is not the number of a descriptor'),
    "fd_negative": (["--fd", "-1"], '--fd: "-1" is not'),
    "fd_too_big": (["--fd", "2147483648"], '--fd: "2147483648" is not'),
    "ready_fd_trailing": (["--ready-fd", "3x"], '--ready-fd: "3x" is not'),
    "log_level": (["--log-level", "loud"], '"loud" is none of error, warn, info, debug and trace'),
    "service_no_name": (["--service", "=echo"], "the name has to be 1 to 31 bytes long"),
    "service_long_name": (["--service", "n" * 32], "the name has to be 1 to 31 bytes long"),
    "service_kind": (["--service", "a=nope"], 'there is no kind "nope"; kinds are echo, sink'),
    "service_key": (["--service", "a,colour=1"], '"colour" is not known here'),
    "service_quiet": (["--service", "a,quiet=1"], '"quiet" is not known here'),
    "service_rate_0": (["--service", "a,rate=0"], 'rate "0" is not a number from 1 to 0xffffffff'),
    "service_size": (["--service", "a,size=65536"], 'size "65536" is not a number from 1 to 65535'),
    "service_peer_any": (["--service", "a,peer=0xffffffff"], 'peer "0xffffffff" is not a number'),
    "fault_name": (["--fault", "nope"], 'there is no fault "nope": --list-faults has them'),
    "fault_argument": (["--fault", "hdr-src-any=1"], "hdr-src-any takes no argument"),
    "fault_argument_range": (
        ["--fault", "hdr-flags=65536"],
        '--fault hdr-flags=65536: "65536" is not a number from 0 to 65535 (value)',
    ),
    "fault_key": (["--fault", "hdr-flags,twice"], '"twice" is not possible: once, count=N'),
    "fault_count_0": (["--fault", "hdr-flags,count=0"], '"count=0" is not possible'),
    "fault_after": (["--fault", "hdr-flags,after=x"], '"after=x" is not possible'),
    "profile": (["--profile", "x"], 'there is no profile "x"; profiles are linux, linux-bufsz'),
    "layout": (["--config-layout", "x"], 'there is no layout "x"; layouts are linux, openamp'),
    "feature_sign": (["--feature", "ns"], '"ns" begins with neither + nor -'),
    "feature_name": (["--feature", "+x"], '"+x" is no feature: a bit from 0 to 63, or one of ns'),
    "feature_bit": (["--feature", "-64"], '"-64" is no feature'),
    "feature_packed": (["--feature", "+34"], '"+34" cannot be offered by choice'),
    "buffer_small": (["--buffer-size", "16"], '"16" is not a number of bytes from 17 to 1048576'),
    "buffer_big": (["--buffer-size", "512,1048577"], '"1048577" is not a number of bytes'),
    "buffer_empty": (["--buffer-size", "512,"], '"" is not a number of bytes'),
    "pace_queue": (["--pace", "2:every=1"], "--pace 2:every=1: has to begin with 0: or 1:"),
    "pace_empty": (["--pace", ""], "has to begin with 0: or 1:"),
    "pace_key": (["--pace", "0:speed=1"], '"speed=1" is not possible: every=N, batch=N, order='),
    "pace_order": (["--pace", "0:order=up"], '"order=up" is not possible'),
    "pace_delay": (["--pace", "1:delay_us=3600000001"], "is not possible"),
    "check": (["--check", "lax"], '"lax" is none of off, report and strict'),
    "seed": (["--seed", "-1"], '"-1" is not a number from 0 to 2^64 - 1'),
    "sandbox": (["--sandbox", "maybe"], '"maybe" is none of on, log and off'),
    "list_form": (["--list-faults=xml"], '"xml" is no form of a list: json is'),
    "service_no_number": (["--service", "a,addr"], 'addr "" is not a number from 0'),
    "service_addr": (["--service", "a,addr=x"], 'addr "x" is not a number from 0 to 0xfffffffe'),
    "service_addr_any": (["--service", "a,addr=0xffffffff"], 'addr "0xffffffff" is not'),
    "service_addr_hex": (["--service", "a,addr=0x"], 'addr "0x" is not'),
    "service_addr_ns": (["--service", "a,addr=53"], "address 53 belongs to the name service"),
    "service_range_ns": (["--service", "a,addr=50,count=4"], "address 53 belongs to"),
    "service_count_0": (["--service", "a,count=0"], 'count "0" is not a number from 1 to 65536'),
    "service_count_big": (["--service", "a,count=65537"], 'count "65537" is not'),
    "service_wrap": (["--service", "a,addr=0xfffffffe,count=2"], "go beyond 0xfffffffe"),
    "service_overlap": (
        ["--service", "a,addr=1024,count=4", "--service", "b,addr=1027"],
        "--service b,addr=1027: address 1027 is taken by --service a,addr=1024,count=4",
    ),
    "qemu_args_without_path": (["--print-qemu-args"], "--print-qemu-args needs --socket-path"),
}


@pytest.mark.parametrize("args, message", USAGE_ERRORS.values(), ids=USAGE_ERRORS.keys())
def test_options_mistake_gets_one_line_and_status_2(
    run: Run, tmp_path: Path, args: list[str], message: str
) -> None:
    result = run(*args, cwd=tmp_path)

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("rpmsg-sim: ") and result.stderr.count("\n") == 1
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_options_capabilities_are_json_of_type_rpmsg(run: Run) -> None:
    result = run("--print-capabilities")

    capabilities = json.loads(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
    assert capabilities["type"] == "rpmsg"
    assert set(capabilities["features"]) == {
        "remote",
        "service",
        "profile",
        "feature",
        "config-layout",
        "buffer-size",
        "pace",
        "fault",
        "scenario",
        "check",
        "seed",
        "control-path",
        "capture",
        "ready-fd",
        "sandbox",
        "log-level",
        "once",
        "poll",
    }
    assert capabilities["version"] == run("--version").stdout.split()[1]


@pytest.mark.parametrize("place", [0, 1])
def test_options_capabilities_ignore_all_other_options(run: Run, place: int) -> None:
    args = ["--bogus", "--fd=x"]
    args.insert(place, "--print-capabilities")

    result = run(*args)

    assert result.returncode == 0
    assert json.loads(result.stdout)["type"] == "rpmsg"


def test_options_every_capability_is_an_option_in_the_help(run: Run) -> None:
    features = json.loads(run("--print-capabilities").stdout)["features"]
    documented = set(re.findall(r"^  --([a-z-]+)", run("--help").stdout, re.MULTILINE))

    assert set(features) <= documented


def test_options_help_names_every_kind_and_fits_80_columns(run: Run) -> None:
    result = run("--help")

    assert (result.returncode, result.stderr) == (0, "")
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    for kind in ("echo", "sink", "source", "client-sample"):
        assert re.search(rf"^  {kind} +\w", result.stdout, re.MULTILINE)


def test_options_version_is_printed(run: Run) -> None:
    result = run("--version")

    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"rpmsg-sim \d+\.\d+\.\d+\n", result.stdout)


def test_options_printing_to_a_full_device_fails(binary: str) -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run([binary, "--help"], stdout=full, stderr=subprocess.PIPE)

    assert result.returncode == 1
    assert b"cannot print" in result.stderr


def qemu_options(output: str) -> list[tuple[str, str]]:
    words = shlex.split(output)
    return list(zip(words[::2], words[1::2], strict=True))


def test_options_qemu_args_attach_a_guest_to_the_socket(run: Run) -> None:
    result = run("--socket-path", "/run/r.sock", "--print-qemu-args")

    options = qemu_options(result.stdout)
    assert result.returncode == 0
    assert result.stdout.count("\n") == 1
    assert ("-chardev", "socket,id=rpmsg-sim,path=/run/r.sock") in options
    assert (
        "-device",
        "vhost-user-test-device-pci,chardev=rpmsg-sim,virtio-id=7,num_vqs=2,vq_size=256,"
        "config_size=0",
    ) in options
    assert ("-object", "memory-backend-memfd,id=rpmsg-mem,size=256M,share=on") in options
    assert ("-machine", "memory-backend=rpmsg-mem") in options and ("-m", "256M") in options


def test_options_qemu_args_mention_the_older_device_in_a_comment(run: Run) -> None:
    result = run("--socket-path", "/run/r.sock", "--print-qemu-args")

    assert all(line.startswith("#") for line in result.stderr.splitlines())
    assert "vhost-user-device-pci" in result.stderr


@pytest.mark.parametrize("name", ["a b.sock", "it's.sock", "a,b.sock", "$HOME.sock"])
def test_options_qemu_args_quote_the_path_for_the_shell_and_qemu(run: Run, name: str) -> None:
    result = run("--socket-path", f"/run/{name}", "--print-qemu-args")

    path = dict(qemu_options(result.stdout))["-chardev"].split("path=", 1)[1]
    assert path == f"/run/{name}".replace(",", ",,")


def test_options_qemu_args_make_a_relative_path_absolute(run: Run, tmp_path: Path) -> None:
    result = run("--socket-path", "r.sock", "--print-qemu-args", cwd=tmp_path)

    path = dict(qemu_options(result.stdout))["-chardev"].split("path=", 1)[1]
    assert Path(path) == tmp_path.resolve() / "r.sock"
