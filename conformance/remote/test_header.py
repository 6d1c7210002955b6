# SPDX-License-Identifier: BSD-2-Clause
"""The 16 bytes in front of every message that the remote sends, and what it makes of ours."""

from __future__ import annotations

import pytest

from rpmsg_conformance.remote_host import RemoteHost


@pytest.mark.requirement("HD-024")
@pytest.mark.parametrize("size", [0, 1, 2, 15, 16, 255, 256, 495, 496])
def test_header_len_is_the_payload_sent(size: int, host: RemoteHost) -> None:
    message = host.check(bytes(n * 7 & 0xFF for n in range(size)))
    assert message is not None
    assert message.header.len == size
