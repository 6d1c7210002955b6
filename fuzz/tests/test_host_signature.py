# SPDX-License-Identifier: BSD-2-Clause
"""A finding in a kernel is named by its kind and function, whatever the numbers around it."""

from __future__ import annotations

import pytest

from fuzz.tools.host import signature

KASAN = """\
[    9.123456] ==================================================================
[    9.123460] BUG: KASAN: slab-use-after-free in rpmsg_recv_single+0x1b1/0x2f0
[    9.123470] Read of size 8 at addr ffff888004a1e010 by task irq/10-virtio2/71
[    9.123480]
[    9.123490] CPU: 0 UID: 0 PID: 71 Comm: irq/10-virtio2 Not tainted 6.12.107 #1
[    9.123500] Call Trace:
[    9.123510]  <TASK>
[    9.123520]  dump_stack_lvl+0x4b/0x70
[    9.123530]  print_report+0xc2/0x600
[    9.123540]  kasan_report+0xad/0xe0
[    9.123550]  rpmsg_recv_single+0x1b1/0x2f0
[    9.123560]  rpmsg_recv_done+0x80/0x120
[    9.123570]  vring_interrupt+0x60/0xa0
[    9.123580] =================================================================="""

NULL_X86 = """\
[   12.345678] BUG: kernel NULL pointer dereference, address: 0000000000000018
[   12.345679] #PF: supervisor read access in kernel mode
[   12.345680] Oops: Oops: 0000 [#1] PREEMPT_RT NOPTI
[   12.345681] CPU: 0 UID: 0 PID: 63 Comm: irq/10-virtio1 Not tainted 6.12.107 #1
[   12.345682] RIP: 0010:rpmsg_ns_cb+0x3c/0xb0
[   12.345683] Call Trace:
[   12.345684]  <TASK>
[   12.345685]  rpmsg_recv_done+0x8b/0x1a0
[   12.345686]  vring_interrupt+0x66/0xa0
[   12.345687] ---[ end trace 0000000000000000 ]---
[   12.345688] Kernel panic - not syncing: Fatal exception in interrupt"""

NULL_ARM = """\
[   31.000001] 8<--- cut here ---
[   31.000002] Unable to handle kernel NULL pointer dereference at virtual address 00000010 when read
[   31.000003] Internal error: Oops: 5 [#1] PREEMPT_RT SMP ARM
[   31.000004] CPU: 0 UID: 0 PID: 77 Comm: irq/40-virtio2 Not tainted 6.12.107+deb13-rt-armmp #1
[   31.000005] PC is at rpmsg_destroy_ept+0x14/0x28 [rpmsg_core]
[   31.000006] LR is at rpmsg_dev_remove+0x54/0x60 [rpmsg_core]
[   31.000007] Call trace:
[   31.000008]  rpmsg_destroy_ept [rpmsg_core] from rpmsg_dev_remove+0x54/0x60 [rpmsg_core]
[   31.000009]  rpmsg_dev_remove [rpmsg_core] from device_remove+0x3c/0x60
[   31.000010] ---[ end trace 0000000000000000 ]---"""

WARNING = """\
[    5.600000] ------------[ cut here ]------------
[    5.600001] WARNING: CPU: 0 PID: 71 at lib/idr.c:84 idr_alloc+0x6a/0xa0
[    5.600002] CPU: 0 UID: 0 PID: 71 Comm: rpmsg-agent Not tainted 6.12.107 #1
[    5.600003] RIP: 0010:idr_alloc+0x6a/0xa0
[    5.600004] Call Trace:
[    5.600005]  <TASK>
[    5.600006]  __rpmsg_create_ept+0x77/0x140
[    5.600007] ---[ end trace 0000000000000000 ]---"""

DEADLOCK = """\
[   23.790000] ------------[ cut here ]------------
[   23.790000] rtmutex deadlock detected
[   23.790000] WARNING: CPU: 0 PID: 32 at kernel/locking/rtmutex.c:1685 __rt_mutex_slowlock_locked.constprop.0+0xce/0x108
[   23.790000] RIP: 0010:__rt_mutex_slowlock_locked.constprop.0+0xce/0x108
[   23.790000] Call Trace:
[   23.790000]  <TASK>
[   23.790000]  ? rcu_segcblist_inc_len+0x12/0x14
[   23.790000]  rt_mutex_slowlock.constprop.0+0x42/0x86
[   23.790000]  mutex_lock+0x22/0x25
[   23.790000]  virtio_rpmsg_destroy_ept+0x4b/0x69
[   23.790000] ---[ end trace 0000000000000000 ]---"""

HUNG = """\
[   60.000001] INFO: task irq/10-virtio2:71 blocked for more than 4 seconds.
[   60.000002]       Not tainted 6.12.107 #1
[   60.000003] task:irq/10-virtio2 state:D stack:0 pid:71 tgid:71 ppid:2
[   60.000004] Call Trace:
[   60.000005]  <TASK>
[   60.000006]  __schedule+0x3a1/0xb00
[   60.000007]  schedule+0x27/0x90
[   60.000008]  rt_mutex_schedule+0x20/0x40
[   60.000009]  __rpmsg_destroy_ept+0x47/0xa0
[   60.000010]  rpmsg_dev_remove+0x4f/0x60"""

LOCKDEP = """\
[    7.000001] ======================================================
[    7.000002] WARNING: possible circular locking dependency detected
[    7.000003] 6.12.107 #1 Not tainted
[    7.000004] ------------------------------------------------------
[    7.000005] irq/10-virtio2/71 is trying to acquire lock:
[    7.000006] Call Trace:
[    7.000007]  <TASK>
[    7.000008]  dump_stack_lvl+0x5d/0x80
[    7.000009]  print_circular_bug+0x178/0x1be
[    7.000010]  check_noncircular+0x144/0x160
[    7.000011]  __lock_acquire+0x12e1/0x21c0
[    7.000012]  lock_acquire+0xb5/0x2b0
[    7.000013]  __mutex_lock+0x9d/0xc40
[    7.000014]  rpmsg_create_channel+0x2f/0x80"""


ATOMIC = """\
[   38.770000] BUG: sleeping function called from invalid context at kernel/locking/rtmutex_api.c:516
[   38.770001] in_atomic(): 0, irqs_disabled(): 0, non_block: 0, pid: 36, name: irq/10-virtio1
[   38.770002] Call Trace:
[   38.770003]  <TASK>
[   38.770004]  dump_stack_lvl+0x5d/0x80
[   38.770005]  __might_resched+0x1f1/0x290
[   38.770006]  mutex_lock_nested+0x30/0x80
[   38.770007]  rpmsg_recv_done+0x8b/0x1a0
[   38.770008]  vring_interrupt+0x66/0xa0
[   38.770009]  vp_interrupt+0x50/0x70
[   38.770010]  irq_forced_thread_fn+0x21/0x9b"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(ATOMIC, ["sleep in atomic context in vring_interrupt"], id="sleep-in-interrupt"),
        pytest.param(KASAN, ["KASAN slab-use-after-free in rpmsg_recv_single"], id="kasan"),
        pytest.param(NULL_X86, ["NULL dereference in rpmsg_ns_cb"], id="oops-x86"),
        pytest.param(NULL_ARM, ["NULL dereference in rpmsg_destroy_ept"], id="oops-arm"),
        pytest.param(WARNING, ["WARNING in idr_alloc"], id="warning"),
        pytest.param(DEADLOCK, ["WARNING in virtio_rpmsg_destroy_ept"], id="parts-of-functions"),
        pytest.param(HUNG, ["hung task in __rpmsg_destroy_ept"], id="hung-task"),
        pytest.param(LOCKDEP, ["lockdep circular in rpmsg_create_channel"], id="lockdep"),
        pytest.param("[    1.0] virtio_rpmsg_bus virtio0: rpmsg host is online", [], id="nothing"),
    ],
)
def test_signature_of_a_console_is_kind_and_function(text: str, expected: list[str]) -> None:
    assert signature.all_of(text.splitlines()) == expected


def test_signature_does_not_depend_on_numbers() -> None:
    other = KASAN.replace("9.123", "77.9").replace("0x1b1/0x2f0", "0x99/0x100").replace("/71", "/1234")
    assert signature.all_of(other.splitlines()) == signature.all_of(KASAN.splitlines())


def test_signature_of_log_and_console_is_the_same() -> None:
    log = [signature.as_log(line) for line in WARNING.splitlines()]
    assert log[1].startswith("[5.600001] <4> WARNING: ")
    assert signature.all_of(log) == signature.all_of(WARNING.splitlines())


def test_signature_names_a_folder() -> None:
    assert signature.slug("KASAN slab-use-after-free in a.b+c") == "kasan-slab-use-after-free-in-a-b-c"


def test_template_of_a_line_has_no_numbers() -> None:
    lines = ["[ 1.25] <4> virtio3: id 300 out of range", "[ 7.5] <4> virtio12: id 0x7f out of range"]
    assert signature.templates(lines) == {"virtio#: id # out of range"}
