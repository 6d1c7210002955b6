# SPDX-License-Identifier: BSD-2-Clause
"""The command line: ``rpmsg-conform host --guest NAME ...``, ``rpmsg-conform remote ...``."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rpmsg_conformance import __version__, baseline, catalogue, checker, coverage, processes
from rpmsg_conformance import other_guest, report_matrix
from rpmsg_conformance.board import Board, ExecError, parse_exec
from rpmsg_conformance.catalogue import Side
from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.guest import TRANSPORTS, run_script
from rpmsg_conformance.host_guests import run_guests
from rpmsg_conformance.link import CHAR_CHANNEL
from rpmsg_conformance.plan import SelectionError
from rpmsg_conformance.remote_target import LaunchError, RemoteTarget, parse_launch
from rpmsg_conformance.results import EXIT_UNREACHABLE, EXIT_USAGE
from rpmsg_conformance.suite_run import (
    CHECKOUT,
    EXIT_SIGNAL,
    SUITES,
    DescribedTarget,
    Suite,
    SuiteRun,
    UsageError,
    add_options,
    add_plan_options,
    jobs_number,
    prepare_report,
    repeat_start,
)
from rpmsg_conformance.terminal import Terminal

_EPILOG = """\
A pattern of --select and --exclude is the beginning of a requirement's ID (BF, BF-001), a case's
name, or a glob for either. A case that --select names runs even if --exclude fits it.

Exit status: 0 nothing gates, 1 a verdict gates (FAIL WEDGED DIED TIMEOUT BLOCKED XPASS, WARN with
--strict, a stale baseline entry), 2 wrong usage, 3 fault of the suite itself, 4 the target could
not be reached, 5 nothing was run, 128+N ended by signal N.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    options = _parser().parse_args(arguments)
    options.arguments = arguments
    try:
        with processes.guarded():
            return int(options.run(options))
    except (
        UsageError,
        LaunchError,
        ExecError,
        catalogue.CatalogueError,
        baseline.BaselineError,
        SelectionError,
    ) as error:
        print(f"rpmsg-conform: {error}", file=sys.stderr)
        return EXIT_USAGE
    except TargetUnreachable as error:
        print(f"rpmsg-conform: {error}", file=sys.stderr)
        return EXIT_UNREACHABLE
    except processes.Interrupted as error:
        return EXIT_SIGNAL + error.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rpmsg-conform",
        description="Judge an implementation of virtio-rpmsg against a catalogue of requirements.",
    )
    parser.add_argument("--version", action="version", version=f"rpmsg-conform {__version__}")
    suites = parser.add_subparsers(dest="suite", required=True, metavar="COMMAND")
    host = suites.add_parser(
        "host",
        help="judge a host: a kernel in QEMU, with rpmsg-sim as its remote",
        description="Judge a host's kernel, booted in QEMU with rpmsg-sim as its remote processor.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    host.add_argument(
        "--guest",
        metavar="NAME[,NAME...]",
        required=True,
        help="guests to test: names that scripts/guest --list shows",
    )
    host.add_argument(
        "--transport",
        choices=TRANSPORTS,
        default="pci",
        help="how the guest has its device: virtio-pci, or virtio-mmio (a boot for each case)",
    )
    host.add_argument(
        "-n", dest="at_once", type=_at_once, metavar="N", default=1,
        help="of several guests run N at the same time",
    )
    host.add_argument(
        "--parts", dest="jobs", type=jobs_number, metavar="N", default=1,
        help="run the cases of each guest in N of its kind at the same time",
    )
    host.add_argument(
        "--self-check",
        action="store_true",
        help="judge the cases, not the guest: lie to each until it fails",
    )
    host.add_argument("--sim", metavar="PATH", type=Path, help="rpmsg-sim to use")
    host.add_argument("--qemu", metavar="PATH", type=Path, help="QEMU to use (else scripts/qemu)")
    host.add_argument(
        "--bundle", metavar="DIR", type=Path, help="prepared guest (else scripts/guest NAME)"
    )
    host.add_argument(
        "--kmod",
        metavar="FILE",
        type=Path,
        help="module for the in-kernel API, built for the guest's kernel (else scripts/kmod NAME)",
    )
    host.add_argument(
        "--baseline",
        metavar="FILE",
        help="known deviations (default: fixtures/baselines/NAME-TRANSPORT.toml, or NAME.toml; 'none')",
    )
    other_guest.add_options(host)
    add_options(host)
    host.set_defaults(run=_host)

    remote = suites.add_parser(
        "remote",
        help="judge a remote: a vhost-user back-end, of which this program is the host",
        description="Judge a remote behind a vhost-user socket; this program plays the host.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    where = remote.add_mutually_exclusive_group()
    where.add_argument("--socket", metavar="PATH", type=Path, help="of a remote that runs already")
    where.add_argument(
        "--launch",
        metavar="COMMAND",
        help="start the remote with this command, and again when it ended; write {socket} where "
        "the path of its socket goes",
    )
    service = remote.add_mutually_exclusive_group()
    service.add_argument(
        "--echo",
        metavar="NAME",
        help="announced service that sends back what it gets (default: looked for)",
    )
    service.add_argument(
        "--echo-addr", metavar="N", type=_address, help="address of a service that echoes"
    )
    remote.add_argument("--baseline", metavar="FILE", help="known deviations of this remote")
    add_options(remote)
    add_plan_options(remote)
    remote.set_defaults(run=_remote)

    board = suites.add_parser(
        "chardev",
        help="judge the user space of a board: its kernel, over channels of its firmware",
        description="Judge the character devices of a machine that runs already, over a channel of its "
        "firmware that sends back what it gets. There is no simulator: cases that need one are "
        "skipped. Without --select these are the rows of user space (UA).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    board.add_argument(
        "--exec",
        dest="execute",
        metavar="COMMAND",
        help="command whose standard input and output are those of rpmsg-agent on the board, for "
        "instance 'ssh board ./rpmsg-agent'",
    )
    board.add_argument(
        "--echo",
        metavar="NAME",
        default=CHAR_CHANNEL,
        help=f"name of the channels whose other end echoes (default: {CHAR_CHANNEL})",
    )
    board.add_argument("--baseline", metavar="FILE", help="known deviations of this board")
    add_options(board)
    board.set_defaults(run=_chardev)

    for module in (report_matrix, coverage, checker):
        module.add_command(suites)
    return parser


def _address(text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 0xFFFFFFFF:
        raise argparse.ArgumentTypeError(f"'{text}' is not an address from 0 to 0xfffffffe")
    return value


def _at_once(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 1 to 64")
    return int(text)


def _several_guests(options: argparse.Namespace, guests: Sequence[str]) -> int:
    """A run of its own for each guest; what belongs to just one guest cannot be given."""
    for name in ("bundle", "kmod", "qemu", "baseline", "kernel"):
        value = getattr(options, name)
        if value is not None and value != "none":
            raise UsageError(f"--{name} is for one guest, and --guest names {len(guests)}")
    if options.list or options.dry_run:
        raise UsageError("--list and --dry-run are the same for all guests: name one")
    if "" in guests or len(set(guests)) < len(guests):
        raise UsageError(f"--guest {options.guest}: an empty name, or one that is there twice")
    report = (options.report or CHECKOUT / "build/report").absolute()
    try:
        prepare_report(report)
    except OSError as error:
        raise UsageError(f"--report {report}: {error.strerror}") from error
    terminal = Terminal(sys.stdout, catalogue.load(SUITES / "requirements.toml"))
    return run_guests(guests, options.arguments, report, options.at_once, terminal.say)


def _host(options: argparse.Namespace) -> int:
    if "," in options.guest:
        return _several_guests(options, options.guest.split(","))
    from rpmsg_conformance import host_fixtures
    from rpmsg_conformance.guest import load_bundle
    from rpmsg_conformance.host_target import HostTarget, patience

    def make_target(report: Path, say: Callable[[str], None]) -> DescribedTarget:
        simulator = _find_simulator(options.sim)
        bundle = load_bundle(options.bundle or _prepare_guest(options), options.transport)
        bundle = other_guest.apply(options, bundle)
        qemu = options.qemu or run_script(CHECKOUT / "scripts/qemu", bundle.qemu)
        busy = patience(os.getloadavg()[0], os.cpu_count() or 1)
        if busy > 1:
            say(f"this machine is busy: every deadline is {busy:.1f} times as long")
        return HostTarget(
            bundle=bundle,
            qemu=qemu.absolute(),
            simulator=simulator,
            folder=report / "guests",
            timeout_factor=options.timeout_factor * bundle.slowness * busy,
            say=say,
            find_module=_module_finder(
                options.kmod, "" if options.kernel is not None else bundle.name
            ),
        )

    run = _suite_run(
        Suite("host", Side.HOST, host_fixtures),
        options,
        _host_baseline(options),
        [
            *("--guest", options.guest, "--transport", options.transport),
            *_given(options, "sim", "qemu", "bundle", "kmod", "baseline"),
            *other_guest.repeated(options),
        ],
    )
    return run.list_cases() if options.list or options.dry_run else run.run(make_target)


def _remote(options: argparse.Namespace) -> int:
    from rpmsg_conformance import remote_fixtures

    launch = parse_launch(options.launch) if options.launch is not None else None
    listing = options.list or options.dry_run
    if not listing and launch is None and options.socket is None:
        raise UsageError("remote: give --socket PATH or --launch 'COMMAND {socket}'")
    if options.jobs > 1 and launch is None and not listing:
        raise UsageError("-n needs --launch: each group of cases gets an instance of its own")
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)

    def make_target(report: Path, say: Callable[[str], None]) -> DescribedTarget:
        return RemoteTarget(
            socket=options.socket,
            launch=launch,
            echo_name=options.echo,
            echo_addr=options.echo_addr,
            folder=report / "remote",
            timeout_factor=options.timeout_factor,
            say=say,
        )

    repeat = _given(options, "socket", "launch", "echo", "echo_addr", "profile", "baseline", "seed")
    run = _suite_run(
        Suite("remote", Side.REMOTE, remote_fixtures),
        options,
        Path(options.baseline) if options.baseline not in (None, "none") else None,
        repeat,
    )
    if listing:
        return run.list_cases()
    run.terminal.say(f"seed {options.seed}")
    return run.run(make_target)


def _chardev(options: argparse.Namespace) -> int:
    from rpmsg_conformance import board_fixtures

    listing = options.list or options.dry_run
    if options.execute is None and not listing:
        raise UsageError("chardev: give --exec 'COMMAND', for instance 'ssh board ./rpmsg-agent'")
    command = parse_exec(options.execute) if options.execute is not None else []
    options.select = options.select or ["UA"]

    def make_target(report: Path, say: Callable[[str], None]) -> DescribedTarget:
        return Board(command, options.echo, report / "board", options.timeout_factor, say)

    run = _suite_run(
        Suite("chardev", Side.HOST, board_fixtures, cases="host"),
        options,
        Path(options.baseline) if options.baseline not in (None, "none") else None,
        [
            *(["--exec", options.execute] if options.execute is not None else []),
            *_given(options, "echo", "baseline"),
        ],
    )
    return run.list_cases() if listing else run.run(make_target)


def _suite_run(
    suite: Suite, options: argparse.Namespace, known: Path | None, repeat: Sequence[str]
) -> SuiteRun:
    requirements = catalogue.load(SUITES / "requirements.toml")
    command = [*repeat_start(suite.name), *repeat]
    if options.timeout_factor != 1.0:
        command += ["--timeout-factor", f"{options.timeout_factor:g}"]
    terminal = Terminal(sys.stdout, requirements, options.verbose)
    return SuiteRun(suite, options, requirements, terminal, known, command)


def _given(options: argparse.Namespace, *names: str) -> list[str]:
    """Those of the options that were given, as on the command line."""
    command: list[str] = []
    for name in names:
        value = getattr(options, name)
        if value is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    return command


def _host_baseline(options: argparse.Namespace) -> Path | None:
    if options.baseline == "none" or options.self_check:
        return None
    if options.baseline is not None:
        return Path(options.baseline)
    if options.kernel is not None:
        return None
    # What is known over one transport may be otherwise over another.
    for name in (f"{options.guest}-{options.transport}", options.guest):
        default = CHECKOUT / "fixtures/baselines" / f"{name}.toml"
        if default.is_file():
            return default
    return None


def _find_simulator(given: Path | None) -> Path:
    """rpmsg-sim: the one given, the one beside this program, or a built one of this checkout."""
    if given is not None:
        candidates = [given]
    else:
        beside = Path(sys.argv[0]).absolute().parent / "rpmsg-sim"
        built = [CHECKOUT / "build" / preset / "bin/rpmsg-sim" for preset in ("release", "dev")]
        installed = shutil.which("rpmsg-sim")
        candidates = [beside, *built, *([Path(installed)] if installed else [])]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate.absolute()
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise UsageError(
        f"no rpmsg-sim found ({looked}); build it (cmake --preset release, "
        "cmake --build --preset release) or give --sim PATH"
    )


def _module_finder(given: Path | None, guest: str) -> Callable[[], Path] | None:
    """What gets the module for the in-kernel API: the one given, or one built by scripts/kmod.

    None for a kernel that this checkout cannot build one for.
    """
    if given is not None:
        if not given.is_file():
            raise UsageError(f"--kmod {given}: there is no such file")
        module: Path = given
        return lambda: module
    if not (CHECKOUT / "scripts/guests" / f"{guest}.toml").is_file():
        return None
    return lambda: run_script(CHECKOUT / "scripts/kmod", guest)


def _prepare_guest(options: argparse.Namespace) -> Path:
    """The bundle of a guest, with the agent of the build tree that this program is started from."""
    program = Path(sys.argv[0]).absolute()
    arguments = _given(options, "kernel", "initrd_add")
    if program.parent.name == "bin" and program.parent.parent.parent == CHECKOUT / "build":
        arguments += ["--preset", program.parent.parent.name]
    return run_script(CHECKOUT / "scripts/guest", *arguments, options.guest)
