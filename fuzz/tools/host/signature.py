# SPDX-License-Identifier: BSD-2-Clause
"""What a finding is called: kind and kernel function, so that the same one is told once.

The text is that of a kernel's console or log; rpmsg_conformance.kernel_log finds the reports in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rpmsg_conformance.kernel_log import Complaint, complaints

#: A line of a console: what the kernel's log has as "[time] <level> text".
_CONSOLE = re.compile(r"^\[\s*([0-9]+\.[0-9]+)\](?:\[\s*[TC]\d+\])? ?(?!<\d>)")

_SYMBOL = r"([A-Za-z_][\w.]*)\+0x[0-9a-f]+"

#: What names the function itself, by preference.
_AT = (
    re.compile(rf"KASAN: .* in {_SYMBOL}"),
    re.compile(rf"KFENCE: .* in {_SYMBOL}"),
    re.compile(rf"WARNING: .* at \S+ {_SYMBOL}"),
    re.compile(rf"\bRIP: \w+:{_SYMBOL}"),
    re.compile(rf"\bPC is at {_SYMBOL}"),
    re.compile(rf"^pc : {_SYMBOL}"),
)

#: Kinds, by what the first lines of a report say.
_KINDS = (
    (re.compile(r"KASAN: ([\w-]+)"), "KASAN {}"),
    (re.compile(r"UBSAN: ([\w-]+)"), "UBSAN {}"),
    (re.compile(r"KFENCE: ([\w -]+?) in"), "KFENCE {}"),
    (re.compile(r"Kernel panic - not syncing: ([^\n:]*)"), "panic {}"),
    (re.compile(r"kernel BUG at"), "BUG"),
    (re.compile(r"NULL pointer dereference"), "NULL dereference"),
    (re.compile(r"unable to handle page fault|Unable to handle kernel paging request"), "page fault"),
    (re.compile(r"general protection fault"), "general protection fault"),
    (re.compile(r"INFO: task"), "hung task"),
    (re.compile(r"INFO: rcu"), "RCU stall"),
    (re.compile(r"soft lockup"), "soft lockup"),
    (re.compile(r"possible (\w+) (?:locking|lock)"), "lockdep {}"),
    (re.compile(r"inconsistent lock state"), "lockdep inconsistent"),
    (re.compile(r"Invalid wait context"), "lockdep wait context"),
    (re.compile(r"suspicious RCU usage"), "lockdep RCU"),
    (re.compile(r"Voluntary context switch within RCU"), "sleep within RCU"),
    (re.compile(r"sleeping function called|scheduling while atomic"), "sleep in atomic context"),
    (re.compile(r"refcount_t: ([\w -]+)"), "refcount {}"),
    (re.compile(r"(list_(?:add|del)) corruption"), "{} corruption"),
    (re.compile(r"cannot create duplicate filename"), "duplicate sysfs name"),
    (re.compile(r"page allocation failure"), "allocation failure"),
    (re.compile(r"WARNING: "), "WARNING"),
)

#: Kinds that are one and the same finding wherever in a virtqueue's interrupt it is that something sleeps.
SLEEPS = ("sleep within RCU", "sleep in atomic context", "lockdep wait context")
INTERRUPT = "vring_interrupt"

#: Beginnings of signatures after which a guest may be lost, so that its loss is no further finding.
FATAL = ("KASAN", "KFENCE", "BUG", "NULL", "page fault", "general protection", "panic", "hung task", "RCU stall", "soft")

#: Functions that report or wait, and say nothing of where.
_REPORTERS = re.compile(
    r"^(_*dump_stack\w*|show_stack|_*warn\w*|report_bug|handle_bug|exc_\w+|asm_\w+|die|oops_\w+|print_\w+|"
    r"kasan_\w+|_*asan_\w+|_*schedule\w*|_*(rt_)?mutex_\w+|rt_mutex\w*|_*might_\w+|panic|refcount_\w+|"
    r"_*list_\w+valid\w*|lockdep\w*|_*lock_acquire|lock_acquire\.\w+|check_\w+|mark_lock\w*|validate_chain|"
    r"rcu_note_context_switch|sysfs_warn_dup|dequeue_\w+|wait_for_\w+|do_wait_\w+|rtlock_\w+|"
    r"rwsem_\w+|down_\w+|_*do_fault\w*|do_\w+fault\w*|page_fault_\w+|no_context|bad_area\w*|"
    r"kernel_init_\w+|unwind_\w+|dump_backtrace|_*report\w*|warn_alloc\w*)$"
)


def of(complaint: Complaint) -> str:
    """Kind and function of one report."""
    text = "\n".join(_CONSOLE.sub("", _bare(line)) for line in complaint.lines)
    head = complaint.text + "\n" + "\n".join(text.splitlines()[:4])
    for pattern, form in _KINDS:
        if match := pattern.search(head):
            kind = form.format(*(group.strip() for group in match.groups()))
            break
    else:
        kind = re.sub(r"\b0x[0-9a-f]+|\d+", "#", complaint.text)[:60]
    if kind in SLEEPS and {INTERRUPT, "irq_forced_thread_fn"} <= set(complaint.trace):
        return f"{kind} in {INTERRUPT}"
    return f"{kind} in {_function(text, complaint.trace)}"


def all_of(lines: Sequence[str]) -> list[str]:
    """The signatures in lines of a kernel's log or console, each once, in their order."""
    reports = complaints([as_log(line) for line in lines])
    # A panic that only follows from the report before it is no other finding.
    found = [of(report) for report in reports]
    return [
        signature
        for signature in dict.fromkeys(found)
        if not (signature.startswith(("panic Fatal exception", "panic Attempted to kill")) and len(found) > 1)
    ]


def as_log(line: str) -> str:
    """A line of a console in the form of the kernel's log; one of the log as it is."""
    return _CONSOLE.sub(r"[\1] <4> ", line.replace("\r", ""))


def slug(signature: str) -> str:
    """The name of a finding's folder."""
    return re.sub(r"[^a-z0-9_]+", "-", signature.lower()).strip("-")[:80] or "finding"


def templates(lines: Iterable[str]) -> set[str]:
    """What a log says, without the numbers in it: a new one is something new that the kernel did."""
    return {re.sub(r"0x[0-9a-f]+|\d+", "#", _bare(line)) for line in lines}


def _bare(line: str) -> str:
    return re.sub(r"^\[\s*[0-9.]+\] <\d> ?", "", line)


def _function(text: str, trace: Sequence[str]) -> str:
    named = [match[1] for pattern in _AT if (match := pattern.search(text))]
    for name in [*named, *trace]:
        # What a compiler adds to the name of a part or a copy says nothing.
        plain = re.sub(r"\.(constprop|isra|part|cold|lto_priv)\b.*", "", name)
        if not _REPORTERS.match(plain):
            return plain
    return "an unknown function"
