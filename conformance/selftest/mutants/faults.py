# SPDX-License-Identifier: BSD-2-Clause
"""Faults of rpmsg-sim as mutants: how each is switched on, and its side effects.

What a fault breaks, and in which words, is what `rpmsg-sim --list-faults` says. A fault that happens
at every message may leave no exchange that works, so that nothing is learnt: such a one happens a few
times, `after` as many messages as the suite needs to begin.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One fault: what --fault gets, and the requirement where it is not the fault's own.

    `also` names the requirements that it breaks besides; "*" stands for all, where nothing works.
    """

    option: str
    also: tuple[str, ...] = ()
    requirement: str = ""
    profile: str = "linux"


#: Dialects whose deviations are found without any fault, as they should be.
PROFILE_DEVIATES = {
    # Sizes that were not agreed on are 512, whatever the host supplies.
    "linux-bufsz": ("BF-024",),
}

#: Faults that a remote's requirement has nothing to say about, and why.
OF_THE_HOST = {
    "ns-name-empty": "what a host makes of it: NS-009",
    "ns-name-not-utf8": "what a host makes of it: NS-001",
    "ns-addr-any": "what a host makes of it: NS-012",
    "ns-addr-0": "what a host makes of it: NS-013",
    "ns-addr-0x7fffffff": "what a host makes of it: NS-001",
    "ns-addr-0x80000000": "what a host makes of it: NS-001",
    "ns-destroy-unknown": "what a host makes of it: NS-014",
    "ns-destroy-rpmsg-ns": "what a host makes of it: NS-016",
    "ns-destroy-rpmsg-ctrl": "what a host makes of it: NS-016",
    "ns-destroy-any": "what a host makes of it: NS-015",
    "life-crash-at-features": "what a host makes of it: LC-006",
    "life-crash-at-memory": "what a host makes of it: LC-006",
    "life-crash-at-vring": "what a host makes of it: LC-006",
    "life-crash-at-driver-ok": "what a host makes of it: LC-006",
    "life-crash-at-first-kick": "what a host makes of it: LC-006",
    "life-crash-at-first-message": "what a host makes of it: LC-006",
    "ns-flags-unknown": "what a host makes of it: NS-006",
    "ns-flags-ack": "what a host makes of it: NS-006; with NuttX it is no fault",
    "ns-flood": "nothing tells it from a remote that has a thousand services",
    "life-needs-reset": "what a host makes of it: LC-005",
}

FAULTS = (
    # Waits longest, so it does not come last.
    Fault("life-silent,after=12", ("*",)),
    Fault("hdr-len-above-descriptor,after=8,count=1"),
    Fault("hdr-len-above-used", ("HD-012", "HD-023", "VQ-052")),
    Fault("hdr-len-above-buffer", ("HD-012", "HD-023", "VQ-052")),
    Fault("hdr-len-below-payload,after=8,count=1"),
    Fault("hdr-reserved"),
    Fault("hdr-flags"),
    Fault("hdr-src-any", ("HD-022",)),
    Fault("hdr-src-ns"),
    Fault("hdr-src-unbound"),
    Fault("hdr-src-own"),
    Fault("hdr-dst-any,after=7,count=1"),
    Fault("hdr-dst-ns,after=8,count=1"),
    Fault("hdr-dst-unbound,after=8,count=1"),
    Fault("hdr-dst-own,after=8,count=1"),
    Fault("order-big-endian,after=8,count=2"),
    Fault("used-len-0,after=8,count=1"),
    Fault("used-len-8,after=8,count=1"),
    Fault("used-len-15,after=8,count=1"),
    Fault("used-len-16,after=8,count=1"),
    Fault("used-len-513", ("BF-024",)),
    Fault("used-len-65535", ("VU-040",)),
    Fault("used-len-0xffffffff", ("VU-040",)),
    Fault("used-len-above-descriptor"),
    Fault("used-len-output"),
    Fault("ns-len-0,after=5,count=1"),
    Fault("ns-len-1,after=5,count=1"),
    Fault("ns-len-39,after=5,count=1"),
    Fault("ns-len-41"),
    Fault("ns-len-496"),
    Fault("ns-name-unterminated"),
    Fault("ns-name-ff"),
    Fault("ns-name-dirty"),
    Fault("ns-addr-53,after=4,count=1"),
    Fault("ns-duplicate,after=4,count=1"),
    Fault("ns-before-driver-ok"),
    Fault("ns-without-feature"),
    Fault("ring-used-id-range,after=8,count=1"),
    Fault("ring-used-id-idle,after=6,count=8"),
    Fault("ring-used-id-twice,after=8,count=1"),
    Fault("ring-used-entry-skipped,after=8,count=1"),
    Fault("ring-used-idx-ahead,after=8,count=1"),
    Fault("ring-used-idx-back,after=8,count=1"),
    Fault("ring-write-readable"),
    Fault("ring-not-returned,after=6,count=1"),
    Fault("ring-returns-another,after=10,count=3"),
    Fault("life-no-replies,after=90,count=1"),
    Fault("life-slow-replies=3000,after=90,count=1"),
    Fault("life-config-change", profile="linux-bufsz"),
    Fault("life-reset-in-flight,after=4,count=1"),
    Fault("life-reboot,after=2,count=1"),
)
