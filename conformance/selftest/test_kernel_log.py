# SPDX-License-Identifier: BSD-2-Clause
"""Complaints are found in a kernel's log, whole and with their traces, and nothing else is."""

from __future__ import annotations

from rpmsg_conformance.kernel_log import complaints, ends_lock_checker, fatal, uses_of_freed_memory

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

POWERPC = """\
[  916.600000] <4> ------------[ cut here ]------------
[  916.639753] <4> WARNING: CPU: 0 PID: 1 at mm/page_alloc.c:4817 __alloc_pages_noprof+0x6c/0x6ac
[  916.639832] <4> Modules linked in: rpmsg_client_sample
[  916.640293] <4> NIP [c000000000141efc] __alloc_pages_noprof+0x6c/0x6ac
[  916.640353] <4> Call Trace:
[  916.640360] <4> [c000000002047bc0] [c000000000141ecc] __alloc_pages_noprof+0x3c/0x6ac (unreliable)
[  916.640474] <4> [c000000002047ca0] [c000000000248f7c] kzalloc_noprof.constprop.0+0x1c/0x30
[  916.640503] <4> [c000000002047cc0] [c000000000248fc0] rpmsg_eptdev_write_iter+0x30/0x178
[  916.640589] <4> [c000000002047e50] [c00000000000b370] system_call_vectored_common+0xf0/0x280
[  916.640613] <4> --- interrupt: 3000 at 0x100543b8
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


def test_kernel_log_report_of_a_powerpc_kernel_has_its_trace() -> None:
    (found,) = complaints(POWERPC)
    assert found.trace == (
        "kzalloc_noprof.constprop.0",
        "rpmsg_eptdev_write_iter",
        "system_call_vectored_common",
    )


def test_kernel_log_two_reports_are_two() -> None:
    assert len(complaints(ARM + X86)) == 2


def test_kernel_log_without_complaint_has_none() -> None:
    assert complaints([ARM[0], ARM[-1]]) == []


def test_kernel_log_description_names_what_and_where() -> None:
    (found,) = complaints(X86)
    assert found.describe().endswith("; in __mutex_lock < rpmsg_recv_done")


KASAN = """\
[    9.000000] <3> ==================================================================
[    9.000001] <3> BUG: KASAN: slab-use-after-free in rpmsg_destroy_ept+0x24/0x60
[    9.000002] <3> Read of size 8 at addr ffff888006a1b058 by task agent/1
[    9.000003] <3> 
[    9.000004] <4> CPU: 0 UID: 0 PID: 1 Comm: agent Not tainted 6.12 #1
[    9.000005] <4> Call Trace:
[    9.000006] <4>  <TASK>
[    9.000007] <4>  dump_stack_lvl+0x5d/0x80
[    9.000008] <4>  print_report+0x14c/0x4a0
[    9.000009] <4>  kasan_report+0xb1/0xe0
[    9.000010] <4>  rpmsg_destroy_ept+0x24/0x60
[    9.000011] <4>  rpmsg_dev_remove+0x5a/0x90
[    9.000012] <4>  </TASK>
[    9.000013] <4> 
[    9.000014] <4> Allocated by task 40:
[    9.000015] <4>  kasan_save_stack+0x24/0x50
[    9.000016] <4>  rpmsg_dev_probe+0x120/0x200
[    9.000017] <4> 
[    9.000018] <4> Freed by task 1:
[    9.000019] <4>  kfree+0x90/0x200
[    9.000020] <4> 
[    9.000021] <3>  ffff888006a1af00: fa fb fb fb fb fb fb fb
[    9.000022] <3> ==================================================================
[    9.100000] <6> nothing wrong here
""".splitlines()

# Where | stands a line ends within a message.
LOCKS = """\
[    8.000000] <4> ============================================
[    8.000001] <4> WARNING: possible recursive locking detected
[    8.000002] <4> 6.12.107 #1 Not tainted
[    8.000003] <4> --------------------------------------------
[    8.000004] <4> irq/26-virtio2-/60 is trying to acquire lock:
[    8.000005] <4> ffff888007b3b858 (&ept->cb_lock){+.+.}-{3:3}, at: __rpmsg_destroy_ept+0x3e/0x80
[    8.000006] <4> |but task is already holding lock:
[    8.000008] <4> ffff888007b3c058 (&ept->cb_lock){+.+.}-{3:3}, at: rpmsg_recv_done+0x190/0x600
[    8.000009] <4> 
[    8.000010] <4> 1 lock held by irq/26-virtio2-/60:
[    8.000011] <4>  #0: ffff888007b3c058 (&ept->cb_lock){+.+.}-{3:3}, at: rpmsg_recv_done+0x190/0x600
[    8.000012] <4> |stack backtrace:
[    8.000014] <4> Call Trace:
[    8.000015] <4>  <TASK>
[    8.000016] <4>  dump_stack_lvl+0x5d/0x80
[    8.000017] <4>  print_deadlock_bug+0x1c0/0x2b0
[    8.000018] <4>  __rpmsg_destroy_ept+0x3e/0x80
[    8.000019] <4>  rpmsg_ns_cb+0x90/0x200
[    8.000020] <4>  </TASK>
""".splitlines()


LOCKS = [line.replace("|", "\n") for line in LOCKS]


def test_kernel_log_trace_of_kasan_is_that_of_the_access() -> None:
    (found,) = complaints(KASAN)
    assert found.text.startswith("BUG: KASAN: slab-use-after-free in rpmsg_destroy_ept+0x24/0x60: Read of")
    assert found.trace == ("rpmsg_destroy_ept", "rpmsg_dev_remove")
    assert fatal([found]) is found and ends_lock_checker([found]) is None
    assert uses_of_freed_memory(KASAN + LOCKS) == [found.describe()]


def test_kernel_log_report_of_the_lock_checker_names_both_locks() -> None:
    (found,) = complaints(LOCKS)
    assert found.text == (
        "WARNING: possible recursive locking detected: &ept->cb_lock in __rpmsg_destroy_ept(), "
        "while holding &ept->cb_lock in rpmsg_recv_done()"
    )
    assert found.trace == ("__rpmsg_destroy_ept", "rpmsg_ns_cb")
    assert ends_lock_checker([found]) is found and fatal([found]) is None


def test_kernel_log_report_ends_where_the_next_one_begins() -> None:
    assert [len(found.trace) for found in complaints(X86[:8] + X86[:8] + LOCKS)] == [2, 2, 2]
    assert len(complaints(LOCKS + KASAN)) == 2


NESTED_SLEEP = """\
[    7.000000] <4> ------------[ cut here ]------------
[    7.000001] <4> do not call blocking ops when !TASK_RUNNING; state=1 set at [<ffffffff810b208c>] prepare_to_wait_event+0xbe/0xe4
[    7.000002] <4> WARNING: CPU: 0 PID: 1 at ../linux/kernel/sched/core.c:8617 __might_sleep+0x8f/0xaa
[    7.000003] <4> Modules linked in: rpmsg_client_sample
[    7.000004] <4> Call Trace:
[    7.000005] <4>  <TASK>
[    7.000006] <4>  mutex_lock_nested+0x2e/0xb4
[    7.000007] <4>  get_a_tx_buf+0x5b/0xe5
[    7.000008] <4> ---[ end trace 0000000000000000 ]---
""".splitlines()


def test_kernel_log_message_before_the_warning_belongs_to_it() -> None:
    (found,) = complaints(NESTED_SLEEP)
    assert found.text.startswith("do not call blocking ops when !TASK_RUNNING")
    assert ": WARNING: CPU: 0 PID: 1 at" in found.text
    assert found.trace == ("mutex_lock_nested", "get_a_tx_buf")
    assert len(found.lines) == 8
