# SPDX-License-Identifier: BSD-2-Clause
"""scripts/kmod: when the module is built and when it is not. make and the compiler are stand-ins."""

import json
import re
from pathlib import Path

import pytest
from conftest import SCRIPTS, Fake, Run

RELEASE, VERSION = "6.12.1+deb13-rt-armmp", "6.12.1-1"
COMPILER = 'if [ "$1" = -dumpfullversion ]; then echo 12.2.0; else exit 1; fi'
#: Builds "the module" of what M=FOLDER holds.
MAKE = """
for word; do case $word in M=*) folder=${word#M=};; esac; done
cat "$folder"/*.c >"$folder/rpmsg_kapi.ko"
echo "made ${*/M=*/}" >>"$0.calls"
"""
STRIP = 'cp "${@: -1}" "$3"'


@pytest.fixture
def headers(tmp_path: Path) -> Path:
    """A kernel and its headers in the cache, as scripts/guest has left them."""
    guest = tmp_path / "cache/rpmsg-testbench/guest/debian-rt"
    kernel = guest / f"kernel/f1-linux-image-{RELEASE}-{VERSION}"
    kernel.mkdir(parents=True)
    facts = {"kernel_release": RELEASE, "package_version": VERSION}
    (kernel / "kernel.json").write_text(json.dumps(facts))
    text = (SCRIPTS / "guest_headers.sh").read_text()
    form = re.findall(r"^HEADERS_FORMAT=(\d+)$", text, re.MULTILINE)[0]
    folder = guest / f"headers/h{form}-{RELEASE}-{VERSION}/usr/src/linux-headers-{RELEASE}"
    folder.mkdir(parents=True)
    (folder / ".kernelvariables").write_text("override ARCH = arm\noverride CROSS_COMPILE = fake-\n")
    return folder


@pytest.fixture
def tools(fake: Fake) -> Path:
    """A compiler that works; returns the file in which its runs are counted."""
    fake("fake-gcc", COMPILER)
    fake("fake-strip", STRIP)
    return Path(f"{fake('make', MAKE)}.calls")


def test_kmod_is_built_against_the_kernel_of_the_guest(run: Run, headers: Path, tools: Path) -> None:
    done = run("kmod", "debian-rt")
    assert done.returncode == 0, done.stderr
    module = Path(done.stdout.rstrip("\n"))
    assert module.name == "rpmsg_kapi.ko" and module.is_file()
    assert f"-C {headers}" in tools.read_text()


def test_kmod_is_not_built_again(run: Run, headers: Path, tools: Path) -> None:
    first, second = run("kmod", "debian-rt"), run("kmod", "debian-rt")
    assert first.stdout == second.stdout
    assert len(tools.read_text().splitlines()) == 1


def test_kmod_is_built_again_by_another_compiler(
    run: Run, fake: Fake, headers: Path, tools: Path
) -> None:
    first = run("kmod", "debian-rt")
    fake("fake-gcc", COMPILER.replace("12.2.0", "14.2.0"))
    assert run("kmod", "debian-rt").stdout != first.stdout


def test_kmod_that_lies_is_another_one(run: Run, headers: Path, tools: Path) -> None:
    assert run("kmod", "debian-rt").stdout != run("kmod", "--lies", "debian-rt").stdout
    assert "KAPI_LIES=1" in tools.read_text()


def test_kmod_that_does_not_build_says_why_and_leaves_nothing(
    run: Run, fake: Fake, headers: Path, tools: Path
) -> None:
    fake("make", "echo 'send.c:1: error: no such thing'; exit 2")
    done = run("kmod", "debian-rt")
    assert (done.returncode, done.stdout) == (1, "")
    assert "send.c:1: error: no such thing" in done.stderr
    assert "does not build for guest debian-rt" in done.stderr
    cache = headers.parents[6]
    assert not (cache / "guest/debian-rt/kmod").exists()
    assert not list(cache.glob("tmp.*"))


def test_kmod_without_its_compiler_says_so(run: Run, fake: Fake, headers: Path) -> None:
    fake("fake-gcc", "exit 127")
    done = run("kmod", "debian-rt")
    assert done.returncode == 1
    assert "compiler of guest debian-rt's architecture is missing" in done.stderr


def test_kmod_without_network_and_cache_says_what_is_missing(run: Run, fake: Fake) -> None:
    fake("apt-get", "echo 'E: Failed to fetch' >&2; exit 100")
    done = run("kmod", "debian-rt", RPMSG_DEBIAN_MIRROR="http://mirror.invalid/debian")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no kernel for guest debian-rt" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((), "needs one NAME"), (("a", "b"), "needs one NAME"), (("--what", "a"), "unknown option"),
     (("no-such",), "unknown guest: no-such")],
)
def test_kmod_wrong_command_lines_are_refused(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    done = run("kmod", *arguments)
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert message in done.stderr
