# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own sample driver, where the kernel ships it."""

from __future__ import annotations

import pytest

from rpmsg_conformance.agent import AgentClient
from rpmsg_conformance.expect import expect_equal
from rpmsg_conformance.link import Link
from rpmsg_conformance.sim import SimulatorClient

SERVICE = "rpmsg-client-sample"
DRIVER = "/sys/bus/rpmsg/drivers/rpmsg_client_sample"

#: MSG_LIMIT and MSG of samples/rpmsg/rpmsg_client_sample.c
MESSAGES = 100
TEXT = b"hello world!"


@pytest.mark.requirement("KA-001")
def test_samples_client_exchanges_its_messages(
    link: Link, sim: SimulatorClient, agent: AgentClient
) -> None:
    if not agent.exists(DRIVER):
        release = link.guest.kernel_release
        pytest.skip(f"Linux {release} comes without the driver rpmsg_client_sample")
    remote = sim.announce(SERVICE, "client-sample")["addr"]
    messages = sim.wait_events(MESSAGES, "message", dst=remote)
    expect_equal("payloads of the sample", {event.payload for event in messages}, {TEXT})
