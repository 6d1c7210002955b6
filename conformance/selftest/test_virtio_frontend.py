# SPDX-License-Identifier: BSD-2-Clause
"""The vhost-user front-end against a peer that says what the test tells it to."""

from __future__ import annotations

import array
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import virtio_golden

from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio import messages
from rpmsg_conformance.virtio.anomaly import Kind
from rpmsg_conformance.virtio.constants import ProtocolFeature, Request, bit
from rpmsg_conformance.virtio.errors import (
    PeerClosed,
    Refused,
    ReplyMalformed,
    ReplyTimeout,
    Unreachable,
)
from rpmsg_conformance.virtio.frontend import FrontEnd
from rpmsg_conformance.virtio.messages import MemoryRegion, VringAddr

ACK = 1 << ProtocolFeature.REPLY_ACK


class Peer:
    """The other end. Answers are given before the question: the socket keeps them."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def answer(
        self, request: int, payload: bytes, flags: int = c.VERSION | c.REPLY,
        fds: tuple[int, ...] = (), size: int | None = None,
    ) -> None:
        """Send one reply."""
        data = messages.encode_message(request, payload, flags=flags, size=size)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([data], rights)

    def acknowledge(self, request: int, value: int = 0) -> None:
        """Send the answer to a request with NEED_REPLY."""
        self.answer(request, messages.U64.pack(value))

    def received(self) -> bytes:
        """All bytes that have come."""
        try:
            return self.sock.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""


@pytest.fixture
def ends() -> Iterator[tuple[FrontEnd, Peer]]:
    left, right = socket.socketpair()
    frontend = FrontEnd(left, timeout=0.2)
    yield frontend, Peer(right)
    frontend.close()
    right.close()


def test_ask_sends_the_request_and_returns_the_payload(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    peer.answer(Request.GET_FEATURES, messages.U64.pack(0x1_0000_0001))
    assert frontend.get_features() == 0x1_0000_0001
    assert peer.received() == messages.encode_message(Request.GET_FEATURES)


def test_reply_that_comes_byte_by_byte_is_put_together(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    data = messages.encode_message(Request.GET_FEATURES, messages.U64.pack(7), flags=5)

    def trickle() -> None:
        for byte in data:
            peer.sock.send(bytes([byte]))

    thread = threading.Thread(target=trickle)
    thread.start()
    assert frontend.get_features() == 7
    thread.join()


def test_two_replies_in_one_piece_are_told_apart(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    for request, value in ((Request.GET_FEATURES, 1), (Request.GET_QUEUE_NUM, 2)):
        peer.answer(request, messages.U64.pack(value))
    assert (frontend.get_features(), frontend.get_queue_num()) == (1, 2)


def test_tell_without_reply_ack_asks_for_nothing(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    frontend.set_owner()
    assert peer.received() == messages.encode_message(Request.SET_OWNER)


def test_tell_with_reply_ack_waits_for_the_acknowledgement(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    frontend.protocol_features = ACK
    peer.acknowledge(Request.SET_OWNER)
    frontend.set_owner()
    assert peer.received() == messages.encode_message(
        Request.SET_OWNER, flags=c.VERSION | c.NEED_REPLY
    )


def test_tell_raises_when_refused(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    frontend.protocol_features = ACK
    peer.acknowledge(Request.SET_VRING_NUM, 22)
    with pytest.raises(Refused, match="SET_VRING_NUM was refused with 0x16") as caught:
        frontend.set_vring_num(0, 3)
    assert (caught.value.request, caught.value.value) == ("SET_VRING_NUM", 22)


def test_set_protocol_features_takes_effect_with_the_next_request(
    ends: tuple[FrontEnd, Peer],
) -> None:
    frontend, peer = ends
    frontend.set_protocol_features(ACK)
    assert peer.received()[4] == c.VERSION
    peer.acknowledge(Request.SET_OWNER)
    frontend.set_owner()
    assert peer.received()[4] == c.VERSION | c.NEED_REPLY


def test_batch_sends_everything_before_it_waits(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    frontend.protocol_features = ACK
    with frontend.batch():
        frontend.set_vring_num(0, 4)
        frontend.set_vring_base(0, 0)
        sent = peer.received()
        peer.acknowledge(Request.SET_VRING_NUM)
        peer.acknowledge(Request.SET_VRING_BASE)
    assert len(sent) == 40


def test_batch_reports_the_first_refusal_and_reads_all_answers(
    ends: tuple[FrontEnd, Peer],
) -> None:
    frontend, peer = ends
    frontend.protocol_features = ACK
    peer.acknowledge(Request.SET_VRING_NUM, 0)
    peer.acknowledge(Request.SET_VRING_BASE, 1)
    peer.acknowledge(Request.SET_VRING_ENABLE, 2)
    with pytest.raises(Refused, match="SET_VRING_BASE"), frontend.batch():
        frontend.set_vring_num(0, 4)
        frontend.set_vring_base(0, 0)
        frontend.set_vring_enable(0, True)
    peer.answer(Request.GET_FEATURES, messages.U64.pack(9))
    assert frontend.get_features() == 9


def test_ask_inside_a_batch_takes_the_acknowledgements_first(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    frontend.protocol_features = ACK
    peer.acknowledge(Request.SET_VRING_NUM)
    peer.answer(Request.GET_FEATURES, messages.U64.pack(9))
    with frontend.batch():
        frontend.set_vring_num(0, 4)
        assert frontend.get_features() == 9


def test_silence_is_a_reply_timeout_that_names_the_request(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, _ = ends
    begun = time.monotonic()
    with pytest.raises(ReplyTimeout, match=r"no reply to GET_FEATURES within 0\.2 s"):
        frontend.get_features()
    assert 0.2 <= time.monotonic() - begun < 2


def test_half_a_reply_is_a_reply_timeout(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    peer.answer(Request.GET_FEATURES, b"1234", size=8)
    with pytest.raises(ReplyTimeout):
        frontend.get_features()


def test_end_of_the_connection_is_peer_closed_now_and_later(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    peer.sock.close()
    for _ in range(2):
        with pytest.raises(PeerClosed):
            frontend.get_features()
    assert frontend.closed is not None


def test_end_inside_a_reply_is_peer_closed(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    peer.answer(Request.GET_FEATURES, b"1234", size=8)
    peer.sock.shutdown(socket.SHUT_WR)
    with pytest.raises(PeerClosed, match="closed the connection"):
        frontend.get_features()


def test_back_end_that_does_not_read_is_a_timeout(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, _ = ends
    with pytest.raises(ReplyTimeout, match="does not read"):
        frontend.send_raw(bytes(10 << 20))


Spoil = Callable[[Peer], None]


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda p: p.answer(Request.GET_STATUS, bytes(8)), "got a reply to request 40"),
        (lambda p: p.answer(Request.GET_FEATURES, bytes(4)), "4 bytes instead of 8"),
        (lambda p: p.answer(Request.GET_FEATURES, bytes(9)), "9 bytes instead of 8"),
        (lambda p: p.answer(Request.GET_FEATURES, b""), "0 bytes instead of 8"),
        (lambda p: p.answer(Request.GET_FEATURES, b"", size=1 << 31), "2147483648 bytes"),
    ],
)
def test_reply_that_is_no_answer_is_malformed(
    ends: tuple[FrontEnd, Peer], spoil: Spoil, what: str
) -> None:
    frontend, peer = ends
    spoil(peer)
    with pytest.raises(ReplyMalformed, match=what):
        frontend.get_features()


@pytest.mark.parametrize("flags", [c.REPLY, c.VERSION, c.VERSION | c.REPLY | 0x10, 0x2 | c.REPLY])
def test_reply_with_wrong_flags_is_taken_and_recorded(
    ends: tuple[FrontEnd, Peer], flags: int
) -> None:
    frontend, peer = ends
    peer.answer(Request.GET_FEATURES, bytes(8), flags=flags)
    assert frontend.get_features() == 0
    assert [a.kind for a in frontend.log.entries] == [Kind.REPLY_FLAGS]


def test_get_vring_base_of_another_queue_is_malformed(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    peer.answer(Request.GET_VRING_BASE, messages.VringState(1, 5).encode())
    with pytest.raises(ReplyMalformed, match="of queue 0 answers for 1"):
        frontend.get_vring_base(0)


def test_message_that_nobody_asked_for_is_recorded(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    peer.acknowledge(Request.SET_OWNER)
    assert frontend.notice() is None
    assert [a.kind for a in frontend.log.entries] == [Kind.UNSOLICITED]


def test_notice_tells_of_the_end(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    assert frontend.notice() is None
    peer.sock.close()
    assert frontend.notice() == "the back-end closed the connection"


def test_descriptors_of_replies_are_not_leaked(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    before = len(os.listdir("/proc/self/fd"))
    peer.answer(Request.GET_FEATURES, bytes(8), fds=(0, 1, 2))
    frontend.get_features()
    peer.answer(Request.SET_OWNER, bytes(8), fds=(0,))
    frontend.notice()
    assert len(os.listdir("/proc/self/fd")) == before


def test_send_raw_carries_any_bytes_with_any_descriptors(ends: tuple[FrontEnd, Peer]) -> None:
    frontend, peer = ends
    with open("/dev/null", "rb") as null:
        frontend.send_raw(b"\xff" * 13, [null.fileno()] * 9)
        data, fds, _, _ = socket.recv_fds(peer.sock, 64, 16)
        assert data == b"\xff" * 13
        assert len(fds) == 9
        assert os.fstat(fds[0]).st_rdev == os.fstat(null.fileno()).st_rdev
    for fd in fds:
        os.close(fd)


def test_connect_to_nothing_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="No such file"):
        FrontEnd.connect(tmp_path / "none")


#: Golden messages, and the call that has to send the very same bytes.
CALLS: dict[str, Callable[[FrontEnd], None]] = {
    "vhost-set-features": lambda f: f.set_features(bit(0) | 7 << 28 | bit(32)),
    "vhost-set-status": lambda f: f.set_status(11),
    "vhost-set-mem-table": lambda f: f.set_mem_table(
        [
            MemoryRegion(0x4000_0000, 0x10000, 0x7000_0000_0000, 0),
            MemoryRegion(0x2_4000_0000, 0x2000, 0x7100_0000_0000, 0x3000),
        ],
        [0, 0],
    ),
    "vhost-set-vring-num": lambda f: f.set_vring_num(1, 256),
    "vhost-set-vring-base": lambda f: f.set_vring_base(1, 65535),
    "vhost-set-vring-addr": lambda f: f.set_vring_addr(
        VringAddr(1, 0, 0x7000_0000_1000, 0x7000_0000_3000, 0x7000_0000_2000, 0x4000_3000)
    ),
    "vhost-set-vring-call-none": lambda f: f.set_vring_call(1, None),
    "vhost-set-vring-enable": lambda f: f.set_vring_enable(1, True),
    "vhost-add-mem-reg": lambda f: f.add_mem_reg(
        MemoryRegion(0x8000_0000, 0x1000, 0x7200_0000_0000, 0), 0
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_typed_request_sends_the_golden_bytes(ends: tuple[FrontEnd, Peer], name: str) -> None:
    frontend, peer = ends
    golden = next(m for m in virtio_golden.ALL if m.name == name)
    frontend.protocol_features = ACK
    peer.acknowledge(Request[str(golden.decode["request"])])
    CALLS[name](frontend)
    assert peer.received() == golden.data
