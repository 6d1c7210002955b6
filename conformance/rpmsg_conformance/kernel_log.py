# SPDX-License-Identifier: BSD-2-Clause
"""Complaints of a kernel: what it writes into its log when it has caught itself at something."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: First lines of what a kernel reports of itself, its lock checker, KASAN, UBSAN and allocators.
_COMPLAINT = re.compile(
    r"WARNING: |BUG: |BUG at |Oops|Kernel panic|Internal error: |Unable to handle kernel|"
    r"INFO: (task|rcu|trying)|possible (circular|recursive|irq)|inconsistent lock state|"
    r"KASAN: |UBSAN: |KFENCE: |refcount_t: |list_(add|del) corruption|page allocation failure|"
    r"Voluntary context switch within RCU|sleeping function called|scheduling while atomic|"
    r"suspicious RCU usage|cannot create duplicate filename|tried to init an initialized object|"
    r"^BUG [\w-]+ \("
)

#: A report begins with a line of scissors; its last line, where it has one.
_CUT = "------------[ cut here ]"
_END = re.compile(r"---\[ end trace|=+$")

#: Lines of a report that belong to it at most, and functions of its trace that are named. KASAN and the
#: lock checker show several stacks.
_REPORT_LINES = 250
_NAMED = 24

#: "[ 12.3] <4> " as the agent's client writes it, and names in lines of a call trace.
_PREFIX = re.compile(r"^\[\s*([0-9.]+)\] <\d> ?")
_X86 = re.compile(r"^ (?:<TASK> )?(?!\? )([A-Za-z_][\w.]*)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[\w+\])?$")
_POWERPC = re.compile(
    r"^(?:\[[0-9a-f]{16}\] ){2}\.?([A-Za-z_][\w.]*)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[\w+\])?$"
)
_ARM = re.compile(r"^ ?(?:\[<[0-9a-f]+>\] \()?([A-Za-z_][\w.]*)(?: \[\w+\])?(?:\))? from ")

#: What follows the first line when that says everything.
_HEADING = re.compile(r"^(Modules linked in|CPU: |Hardware name|Call [Tt]race|[=-]{5}|\s*$)")

#: The stacks of a report that are not the one on which it was noticed: KASAN's come after that, those of
#: the lock checker before it.
_STACKS_AFTER = re.compile(r"^(Allocated by task|Freed by task|Last potentially related work)")
_STACKS_BEFORE = re.compile(r"^stack backtrace:")

#: Locks in a report of the lock checker: the one that is taken, and one that is held.
_LOCK = re.compile(r"\((.*)\)\{[^}]*\}-\{[0-9:]+\}, at: ([\w.]+)")
_LOCK_HELD = re.compile(r"^but task is already holding lock:")

#: Where every trace begins, whatever it is about.
_PLUMBING = re.compile(
    r"^(_*(un)?wind|show_stack|dump_stack|__warn|warn_slowpath|c_backtrace|print_report|kasan_report|"
    r"print_(deadlock|circular)_bug|check_noncircular|__?lock_acquire|validate_chain|__asan_)"
)


@dataclass(frozen=True)
class Complaint:
    """One report in a kernel's log."""

    text: str
    """The line that says what happened."""
    trace: tuple[str, ...]
    """Functions of its call trace, innermost first, those of every trace left out."""
    lines: tuple[str, ...]
    """The whole report."""

    def describe(self) -> str:
        """The report in one line: what happened, and on which way it was reached."""
        if not self.trace:
            return self.text
        more = " < ..." if len(self.trace) > _NAMED else ""
        return f"{self.text}; in {' < '.join(self.trace[:_NAMED])}{more}"


#: After these a kernel may do anything.
_FATAL = re.compile(r"Oops|Internal error: |Unable to handle kernel|kernel BUG at |KASAN: ")


def fatal(found: Sequence[Complaint]) -> Complaint | None:
    """The first complaint after which a kernel is not to be relied on any more, or None."""
    return next((complaint for complaint in found if _FATAL.search(complaint.text)), None)


#: With these the kernel's lock checker ends: what it would find afterwards nobody learns.
_LAST_OF_LOCKS = re.compile(
    r"possible (circular|recursive|irq)|inconsistent lock state|Invalid wait context|suspicious RCU usage|"
    r"bad unlock balance|held lock freed|irq lock inversion|trying to register non-static key"
)


def ends_lock_checker(found: Sequence[Complaint]) -> Complaint | None:
    """The first complaint after which the kernel checks no lock any more, or None."""
    return next((complaint for complaint in found if _LAST_OF_LOCKS.search(complaint.text)), None)


def uses_of_freed_memory(lines: Sequence[str]) -> list[str]:
    """What a kernel with KASAN says in these lines of its log, each report in one line."""
    return [found.describe() for found in complaints(lines) if "KASAN: " in found.text]


def complaints(lines: Sequence[str]) -> list[Complaint]:
    """The complaints in lines of a kernel log, each with its call trace."""
    # One message of a kernel may be several lines; the lock checker's begin with an empty one.
    lines = [part for line in lines for part in line.split("\n")]
    found = []
    number = 0
    while number < len(lines):
        if not (_begins_with_message(lines, number) or _COMPLAINT.search(_text(lines[number]))):
            number += 1
            continue
        end = _end_of_report(lines, number)
        found.append(_complaint(lines[number:end]))
        number = end
    return found


def _begins_with_message(lines: Sequence[str], number: int) -> bool:
    """Whether a warning begins here with what it has to say, before it says that it is one."""
    return (
        0 < number < len(lines) - 1
        and _text(lines[number - 1]).startswith(_CUT)
        and _text(lines[number + 1]).startswith("WARNING: ")
    )


def _end_of_report(lines: Sequence[str], start: int) -> int:
    """Number of the first line that no longer belongs to the report that begins at ``start``."""
    # Without a last line: as far as the trace goes.
    end = start + 1
    for number in range(start + 1, min(len(lines), start + _REPORT_LINES)):
        text = _text(lines[number])
        if _END.search(text):
            return number + 1
        if text.startswith(_CUT) or (end > start + 1 and _COMPLAINT.search(text)):
            break
        if _function(text) is not None:
            end = number + 1
    return end


def _complaint(report: Sequence[str]) -> Complaint:
    functions: list[str] = []
    for line in report:
        if _STACKS_AFTER.match(_text(line)):
            break
        if _STACKS_BEFORE.match(_text(line)):
            functions.clear()
        function = _function(_text(line))
        if function is not None and not _PLUMBING.match(function):
            functions.append(function)
    text = _text(report[0]).strip()
    if locks := _locks(report):
        text += f": {locks}"
    elif len(report) > 1 and not _HEADING.match(_text(report[1])):
        text += f": {_text(report[1]).strip()}"
    return Complaint(text, tuple(_unrepeated(functions)), tuple(report))


def _locks(report: Sequence[str]) -> str:
    """Which lock was taken while which was held, if the report is about such a thing."""
    named: list[str] = []
    for number, line in enumerate(report):
        found = _LOCK.search(_text(line))
        if found and (not named or _LOCK_HELD.match(_text(report[number - 1]))):
            named.append(f"{found.group(1)} in {found.group(2).partition('+')[0]}()")
        if len(named) == 2:
            return f"{named[0]}, while holding {named[1]}"
    return ""


def _unrepeated(names: Iterable[str]) -> list[str]:
    result: list[str] = []
    for name in names:
        if not result or result[-1] != name:
            result.append(name)
    return result


def _text(line: str) -> str:
    return _PREFIX.sub("", line)


def _function(text: str) -> str | None:
    for pattern in (_X86, _ARM, _POWERPC):
        if match := pattern.match(text):
            return match.group(1)
    return None
