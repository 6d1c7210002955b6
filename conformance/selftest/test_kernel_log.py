# SPDX-License-Identifier: BSD-2-Clause
"""Complaints are found in a kernel's log, whole and with their traces, and nothing else is."""

from __future__ import annotations

from rpmsg_conformance.kernel_log import complaints

ARM = """\
[    6.100000] <6> virtio_rpmsg_bus virtio1: rpmsg host is online
[    6.766500] <4> ------------[ cut here ]------------
[    6.766550] <4> WARNING: CPU: 0 PID: 150 at kernel/rcu/tree_plugin.h:331 note_switch+0x590/0x700
[    6.766574] <4> Voluntary context switch within RCU read-side critical section!
[    6.766596] <4> Modules linked in: virtio_rpmsg_bus rpmsg_ns
[    6.768935] <4> Call trace:
[    6.769349] <4>  unwind_backtrace from show_stack+0x18/0x1c
[    6.769350] <4>  show_stack from note_switch+0x590/0x700
[    6.770210] <4>  note_switch from rpmsg_ns_cb+0xc8/0x354 [rpmsg_ns]
[    6.770211] <4>  rpmsg_ns_cb [rpmsg_ns] from vring_interrupt+0x98/0x104
[    6.770502] <4> ---[ end trace 0000000000000000 ]---
[    7.000000] <6> later
""".splitlines()

X86 = """\
[    1.000000] <3> BUG: scheduling while atomic: swapper/0/0/0x00010002
[    1.000001] <4> Call Trace:
[    1.000002] <4>  <TASK>
[    1.000003] <4>  dump_stack_lvl+0x5d/0x80
[    1.000004] <4>  ? __pfx_none+0x10/0x10
[    1.000005] <4>  __mutex_lock+0x84/0x100
[    1.000006] <4>  rpmsg_recv_done+0x50/0x200
[    1.000007] <4>  </TASK>
[    1.100000] <6> nothing wrong here
""".splitlines()


def test_kernel_log_report_has_its_text_and_trace() -> None:
    (found,) = complaints(ARM)
    assert found.text.startswith("WARNING: CPU: 0 PID: 150 at kernel/rcu/tree_plugin.h:331")
    assert found.text.endswith("Voluntary context switch within RCU read-side critical section!")
    assert found.trace == ("note_switch", "rpmsg_ns_cb")
    assert len(found.lines) == 9


def test_kernel_log_report_without_a_last_line_ends_with_its_trace() -> None:
    (found,) = complaints(X86)
    assert found.text == "BUG: scheduling while atomic: swapper/0/0/0x00010002"
    assert found.trace == ("__mutex_lock", "rpmsg_recv_done")
    assert "nothing wrong" not in "".join(found.lines)


def test_kernel_log_two_reports_are_two() -> None:
    assert len(complaints(ARM + X86)) == 2


def test_kernel_log_without_complaint_has_none() -> None:
    assert complaints([ARM[0], ARM[-1]]) == []


def test_kernel_log_description_names_what_and_where() -> None:
    (found,) = complaints(X86)
    assert found.describe().endswith("; in __mutex_lock < rpmsg_recv_done")
