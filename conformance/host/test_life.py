# SPDX-License-Identifier: BSD-2-Clause
"""The life of a link: what happens when devices, drivers and processors come and go."""

from __future__ import annotations

import pytest

from rpmsg_conformance.expect import expect
from rpmsg_conformance.host_target import HostTarget


@pytest.mark.patient
@pytest.mark.requirement("LC-007")
def test_life_receive_path_never_sleeps_where_it_must_not(host: HostTarget) -> None:
    if not host.bundle.has_agent:
        pytest.skip("the kernel's log takes an agent in the guest, and there is none (--no-agent)")
    # Every case before this one has had its messages; what their logs said of it was kept.
    seen = [complaint.describe() for complaint in host.boot_complaints]
    seen += [text for requirement, _, text in host.known_complaints if requirement == "LC-007"]
    expect(
        not seen,
        expected="no complaint of the kernel about its receive path",
        observed=f"{len(seen)}: {'; '.join(seen)}",
    )
