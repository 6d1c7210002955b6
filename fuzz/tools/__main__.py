# SPDX-License-Identifier: BSD-2-Clause
"""Command line of scripts/fuzz: one function a verb."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from fuzz.tools import capture, corpus, coverage, dicts, engines, oplist, repro, seeds
from fuzz.tools.project import (
    ROOT,
    WORK,
    Problem,
    Target,
    build,
    chosen,
    environment,
    schema,
    target,
    target_of,
    targets,
)
from fuzz.tools.shrink import shrink
from fuzz.tools.verdict import judge


def say(text: str) -> None:
    """Progress, which is no result."""
    print(text, file=sys.stderr, flush=True)


def relative(path: Path) -> Path:
    """As one types it in the checkout."""
    path = path.resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def tell(found: Sequence[Path], name: str) -> int:
    """Say what to do with findings; the status."""
    for path in found:
        shown = relative(path)
        print(f"\n{name} broke a rule with {shown}\n"
              f"  scripts/fuzz replay {shown}      # see it\n"
              f"  scripts/fuzz minimise {shown}    # make it small\n"
              f"  scripts/fuzz decode {shown}      # read it\n"
              f"  scripts/fuzz repro {shown}       # a C test\n"
              f"  scripts/fuzz regress {shown}     # keep it, once it is fixed")  # fmt: skip
    return 1 if found else 0


def verb_list(options: Namespace) -> int:
    """all targets, with the numbers of their inputs"""
    print(f"{'target':18} {'longest':>7} {'corpus':>6} {'regress':>7} {'grown':>6}  floors")
    for each in targets().values():
        counts = [len(list(f.iterdir())) if f.is_dir() else 0 for f in (each.corpus, each.regress, each.grown)]
        print(
            f"{each.name:18} {each.longest:7} {counts[0]:6} {counts[1]:7} {counts[2]:6}  {' '.join(each.floors)}"
        )
    return 0


def verb_build(options: Namespace) -> int:
    """build all targets; prints the folder of the programs"""
    print(build(options.engine, options.sanitizer))
    return 0


def verb_run(options: Namespace) -> int:
    """one target until the time is over or a rule is broken"""
    each = target(options.target)
    if options.engine == "afl":
        found = engines.run_afl(build("afl", "none"), each, options.time)
    else:
        programs = build("libfuzzer", options.sanitizer)
        found = engines.run_libfuzzer(programs, each, options.time, options.jobs)
    return tell(found, each.name)


def campaign(options: Namespace, keep: bool) -> int:
    """Targets side by side, and a table."""
    programs = build("libfuzzer", options.sanitizer)
    rates = engines.campaign(programs, chosen(options.targets), options.time, options.at_once, keep)
    status = 0
    for rate in rates:
        if rate.status != 0:
            status = 1
            print(f"---- {rate.target.name}\n{rate.output[-4000:]}")
            tell(rate.findings, rate.target.name)
        elif rate.executions == 0:
            status = 1
            print(f"---- {rate.target.name} ran no input")
    text = engines.table(rates, options.sanitizer)
    print(text)
    WORK.mkdir(parents=True, exist_ok=True)
    (WORK / "rates.txt").write_text(text + "\n", encoding="utf-8")
    listed = json.dumps(engines.as_json(rates, options.sanitizer), indent=1)
    (WORK / "rates.json").write_text(listed + "\n", encoding="utf-8")
    return status


def verb_campaign(options: Namespace) -> int:
    """all targets, or those named, in turn; corpora grow"""
    return campaign(options, keep=True)


def verb_rate(options: Namespace) -> int:
    """inputs a second of each target beside `empty`; keeps nothing but crashes"""
    return campaign(options, keep=False)


def replay_programs() -> Path:
    """Where what a person looks at is run: with sanitizers."""
    return build("libfuzzer", "address")


def verb_replay(options: Namespace) -> int:
    """run one input or all that are committed; no engine"""
    programs = replay_programs()
    work: list[tuple[Target, list[Path]]]
    if options.inputs and not all(name in targets() for name in options.inputs):
        work = [(target_of(Path(path), options.target, programs), [Path(path)]) for path in options.inputs]
    else:
        work = [(each, each.inputs()) for each in chosen(options.inputs)]
        work = [(each, inputs) for each, inputs in work if inputs or each.name != "empty"]
        for each, inputs in work:
            if not inputs:
                raise Problem(f"{each.name} has no input: scripts/fuzz seeds makes some")
    status = 0
    for each, inputs in work:
        command: list[str | Path] = [programs / f"replay_{each.name}", *inputs]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, errors="replace", check=False)
        lines = done.stdout.splitlines()
        if done.returncode == 0:
            print(lines[-1])
        else:
            status = 1
            print("\n".join([*lines[-1:], done.stderr]))
    return status


def verb_twice(options: Namespace) -> int:
    """run each committed input twice and compare coverage: targets have to be deterministic"""
    programs = build("libfuzzer", "address")
    status = count = 0
    for each in chosen(options.targets):
        if not each.inputs():
            continue
        command: list[str | Path] = [programs / f"replay_{each.name}", "--twice", *each.inputs()]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, errors="replace", check=False)
        count += 1
        print(done.stdout.splitlines()[-1] if done.returncode == 0 else done.stderr.strip())
        status = status or min(done.returncode, 1)
    if count == 0:
        raise Problem("none of these targets has an input")
    return status


def verb_minimise(options: Namespace) -> int:
    """make one input that breaks a rule as small as possible"""
    programs = replay_programs()
    file = Path(options.file)
    each = target_of(file, options.target, programs)
    data = file.read_bytes()
    try:
        small, rule = shrink(programs / f"replay_{each.name}", schema(programs, each.name), data)
    except ValueError as error:
        raise Problem(f"{file}: {error}") from None
    to = Path(options.output) if options.output else file.with_name(f"{file.name}.min")
    to.write_bytes(small)
    say(f"{rule}: {len(data)} bytes, now {len(small)}")
    print(relative(to))
    return 0


def verb_merge(options: Namespace) -> int:
    """replace the committed corpus of a target by the smallest one with the same coverage"""
    programs = build("libfuzzer", "address")
    for each in chosen(options.targets):
        if not each.floors and not options.targets:
            continue
        done = corpus.merge(programs, each, [Path(folder) for folder in options.more])
        print(
            f"{each.name}: {done.given} inputs, kept {done.kept} of {done.size} bytes, "
            f"{done.coverage.edges} edges"
        )
    size = corpus.total_size()
    print(f"all of fuzz/corpus: {size} bytes of at most {corpus.LIMIT}")
    return 0 if size <= corpus.LIMIT else 1


def verb_coverage(options: Namespace) -> int:
    """lines and branches of sim/ that committed inputs reach, by target and in sum"""
    programs = build("replay", "coverage")
    text, folder = coverage.report(programs, chosen(options.targets), not options.text)
    print(text)
    say(f"summary: {relative(folder / 'summary.txt')}")
    if not options.text:
        say(f"by line: {relative(folder / 'all' / 'index.html')}")
    return 0


def verb_decode(options: Namespace) -> int:
    """print an input as operations, in the form that fuzz/seeds has"""
    programs = replay_programs()
    file = Path(options.file)
    each = target_of(file, options.target, programs)
    known = schema(programs, each.name)
    data = file.read_bytes()
    print(f"# {each.name}, {len(data)} bytes")
    if known is None:
        for at in range(0, len(data), 16):
            row = data[at : at + 16]
            text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
            print(f"{at:6x}  {row.hex(' '):48} {text}")
        return 0
    try:
        for item in oplist.decode(known, data):
            print(oplist.show(item))
    except ValueError as error:
        raise Problem(f"{file}: no operation list of {each.name}: {error}") from None
    return 0


def verb_encode(options: Namespace) -> int:
    """the opposite of decode: text of operations into an input"""
    programs = replay_programs()
    each = target(options.target)
    known = schema(programs, each.name)
    if known is None:
        raise Problem(f"inputs of {each.name} are bytes, not operations")
    file = Path(options.file)
    try:
        data = oplist.encode(known, oplist.parse(known, file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise Problem(f"{file}: {error}") from None
    Path(options.output).write_bytes(data)
    return 0


def verb_repro(options: Namespace) -> int:
    """print a C test with the input in it, or a case for conformance/remote"""
    programs = replay_programs()
    file = Path(options.file)
    each = target_of(file, options.target, programs)
    known, data = schema(programs, each.name), file.read_bytes()
    if options.case:
        print(repro.skeleton(each, known, data, file.name), end="")
    else:
        print(repro.c_test(each, known, data, file.name, programs.parent), end="")
    return 0


def verb_regress(options: Namespace) -> int:
    """keep an input in fuzz/regress, named after the rule that it breaks"""
    programs = replay_programs()
    file = Path(options.file)
    each = target_of(file, options.target, programs)
    fault = judge(programs / f"replay_{each.name}", file)
    name = options.name or (fault.rule if fault is not None else None)
    if name is None:
        raise Problem(f"{file} breaks no rule in this build: say with --name which one it broke")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise Problem(f"{name}: a name has lower-case letters, digits and '-', as message-balance")
    to = each.regress / name
    if to.exists() and to.read_bytes() != file.read_bytes():
        raise Problem(f"{relative(to)} is there and another input: choose another with --name")
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, to)
    print(relative(to))
    if fault is not None:
        say(f"it still fails, so that tests do now, too: {fault.line}")
    return 0


def made(changed: list[str], check: bool, what: str) -> int:
    """Say what was written; with check that is a failure."""
    for name in changed:
        print(name)
    say(f"{len(changed)} {what} changed" if changed else f"all {what} are as they should be")
    return 1 if check and changed else 0


def verb_seeds(options: Namespace) -> int:
    """make fuzz/corpus/NAME/seed-* from fuzz/seeds and fixtures/"""
    return made(seeds.write_all(replay_programs()), options.check, "seeds")


def verb_dict(options: Namespace) -> int:
    """make fuzz/dict/NAME.dict from the constants of the protocols"""
    return made(dicts.write_all(), options.check, "dictionaries")


def verb_convert(options: Namespace) -> int:
    """a capture of rpmsg-sim as operation lists of target remote, in text"""
    texts = {f"{options.name}-{n:03}": text for n, text in enumerate(capture.as_lists(Path(options.capture)))}
    chosen_names = list(texts)
    if options.new:
        programs, each = replay_programs(), target("remote")
        known = schema(programs, each.name)
        assert known is not None
        data = {name: oplist.encode(known, oplist.parse(known, text)) for name, text in texts.items()}
        fitting = {name: list_ for name, list_ in data.items() if len(list_) <= each.longest}
        chosen_names = corpus.adding(programs, each, fitting)
        say(f"{len(texts)} lists, {len(fitting)} are short enough, {len(chosen_names)} of these cover something new")
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    for name in chosen_names:
        path = folder / f"{name}.txt"
        path.write_text(texts[name], encoding="utf-8")
        print(path)
    return 0


Verb = Callable[[Namespace], int]


def count(text: str) -> int:
    """A positive number."""
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text}: expected a number above 0")
    return int(text)


def arguments() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def add(name: str, verb: Verb, *, several: bool = False, file: bool = False) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=verb.__doc__, description=verb.__doc__)
        sub.set_defaults(verb=verb)
        if several:
            sub.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
        if file:
            sub.add_argument("file", metavar="FILE")
            sub.add_argument("--target", help="whose input FILE is; default: what its folder or bytes tell")
        return sub

    add("list", verb_list)
    sub = add("build", verb_build)
    sub.add_argument("--engine", choices=("libfuzzer", "afl", "replay"), default="libfuzzer")
    sub.add_argument("--sanitizer", choices=("address", "none", "coverage"))
    sub = add("run", verb_run)
    sub.add_argument("target", metavar="TARGET")
    sub.add_argument("--time", type=count, default=60, metavar="SECONDS")
    sub.add_argument("--jobs", type=count, default=1, help="processes, with libFuzzer's -fork")
    sub.add_argument("--engine", choices=("libfuzzer", "afl"), default="libfuzzer")
    sub.add_argument("--sanitizer", choices=("address", "none"), default="address")
    for name, verb, seconds in (("campaign", verb_campaign, 600), ("rate", verb_rate, 10)):
        sub = add(name, verb, several=True)
        sub.add_argument("--time", type=count, default=seconds, metavar="SECONDS", help="of each target")
        sub.add_argument("--at-once", type=count, default=1, metavar="N", help="targets side by side")
        sub.add_argument("--sanitizer", choices=("address", "none"), default="address")
    sub = add("replay", verb_replay)
    sub.add_argument("inputs", nargs="*", metavar="TARGET|FILE", help="default: all that is committed")
    sub.add_argument("--target", help="whose inputs the files are")
    add("twice", verb_twice, several=True)
    sub = add("minimise", verb_minimise, file=True)
    sub.add_argument("-o", "--output", help="default: FILE.min")
    sub = add("merge", verb_merge, several=True)
    sub.add_argument("--from", dest="more", action="append", default=[], metavar="FOLDER", help="inputs besides")
    sub = add("coverage", verb_coverage, several=True)
    sub.add_argument("--text", action="store_true", help="no HTML")
    add("decode", verb_decode, file=True)
    sub = add("encode", verb_encode)
    sub.add_argument("target", metavar="TARGET")
    sub.add_argument("file", metavar="TEXT")
    sub.add_argument("output", metavar="FILE")
    sub = add("repro", verb_repro, file=True)
    sub.add_argument("--case", action="store_true", help="a case for conformance/remote")
    sub = add("regress", verb_regress, file=True)
    sub.add_argument("--name", help="default: the rule that FILE breaks")
    for name, verb in (("seeds", verb_seeds), ("dict", verb_dict)):
        add(name, verb).add_argument("--check", action="store_true", help="fail when something changed")
    sub = add("convert", verb_convert)
    sub.add_argument("capture", metavar="CAPTURE")
    sub.add_argument("output", metavar="FOLDER")
    sub.add_argument("--name", default="capture", help="first part of the names of files")
    sub.add_argument("--new", action="store_true", help="only lists that cover what no committed input does")
    return parser


def main() -> int:
    """Status: 0, 1 when a target failed, 2 when something else is wrong."""
    options = arguments().parse_args()
    if options.verb is verb_build and options.sanitizer is None:
        options.sanitizer = "none" if options.engine == "afl" else "address"
    try:
        return int(options.verb(options))
    except Problem as problem:
        print(f"scripts/fuzz: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


sys.exit(main())
