# SPDX-License-Identifier: BSD-2-Clause
"""Random legal traffic against a model of endpoints, buffers and sessions.

hypothesis draws sequences of steps and shrinks one that goes wrong to a minimal one, which the
verdict shows. The same --seed draws the same sequences.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from rpmsg_conformance.expect import Unmet, expect_equal
from rpmsg_conformance.remote_fixtures import Connect
from rpmsg_conformance.remote_host import NOBODY, RemoteHost
from rpmsg_conformance.virtio import constants as c
from rpmsg_conformance.virtio.config import Config, Layout
from rpmsg_conformance.virtio.constants import Feature, bit
from rpmsg_conformance.virtio.errors import NoBuffer, PeerError

#: Examples of a case, and steps of an example at the most.
EXAMPLES, STEPS = 25, 25

#: Addresses of the host's endpoints.
ENDPOINTS = (1024, 1025, 7, 0xFFFFFFFE)

Step = tuple[Any, ...]

_sends = st.tuples(
    st.just("send"),
    st.sampled_from(ENDPOINTS),
    st.one_of(st.sampled_from((0, 1, 495, 496)), st.integers(0, 496)),
    st.one_of(
        st.none(),
        st.just("full"),
        st.lists(st.integers(1, 40), min_size=1, max_size=3).map(lambda pieces: tuple(pieces)),
    ),
    st.booleans(),
)
_steps = st.one_of(
    _sends,
    _sends,
    _sends,
    st.tuples(st.just("nobody"), st.integers(0, 100)),
    st.tuples(st.just("announce"), st.booleans()),
    st.tuples(st.just("hold"), st.booleans()),
    st.tuples(st.just("repost"), st.integers(1, 4)),
    st.tuples(st.just("quiet"), st.booleans()),
    st.tuples(st.just("take")),
    st.tuples(st.just("reset")),
    st.tuples(st.just("reconnect")),
)
_configs = st.builds(
    lambda sizes, bases, event: Config(
        ring_sizes=sizes,
        bases=bases,
        features=Config().features | (bit(Feature.RING_EVENT_IDX) if event else 0),
    ),
    st.tuples(st.sampled_from((1, 2, 4, 16)), st.sampled_from((4, 8, 64))),
    st.tuples(
        st.sampled_from((0, 65530, 32767)), st.sampled_from((0, 65533, 32766))
    ),
    st.booleans(),
)


@dataclass
class Model:
    """What has to come back: for each endpoint of the host, the payloads in order."""

    due: dict[int, deque[bytes]] = field(default_factory=dict)
    serial: int = 0

    def sent(self, endpoint: int, size: int) -> bytes:
        """The payload of the next message from an endpoint."""
        self.serial += 1
        payload = (b"%d:" % self.serial * 256)[:size]
        self.due.setdefault(endpoint, deque()).append(payload)
        return payload

    def took(self, endpoint: int, payload: bytes) -> None:
        """Compare what came with what was due."""
        queue = self.due.get(endpoint, deque())
        expect_equal(f"next echo to {endpoint:#x}", payload, queue.popleft() if queue else None)

    @property
    def outstanding(self) -> int:
        """Messages that are still to come."""
        return sum(len(queue) for queue in self.due.values())


class Run:
    """One example: a host, and the model of what it is owed."""

    def __init__(self, host: RemoteHost) -> None:
        self.host = host
        self.model = Model()
        self.started()

    def started(self) -> None:
        """A session began: nothing from before may arrive."""
        self.model.due.clear()
        self.host.hold_receive(False)

    def send(
        self, endpoint: int, size: int, layout: str | tuple[int, ...] | None, kick: bool
    ) -> None:
        host = self.host
        form = Layout()
        if layout == "full":
            form = Layout(full=True)
        elif isinstance(layout, tuple):
            form = Layout(split=tuple(n for n in layout if sum(layout) < 16 + size))
        if len(form.split) + 1 > host.output.ring.size:
            form = Layout()
        payload = self.model.sent(endpoint, size)
        try:
            host.send(endpoint, host.echo_addr, payload, layout=form, kick=kick, timeout=0)
        except NoBuffer:
            # Full: a host that has something to say takes back what it can, and tries again.
            self.model.due[endpoint].pop()
            host.flush()
            self.take()

    def nobody(self, size: int) -> None:
        try:
            self.host.send(1024, NOBODY, bytes(size), timeout=0)
        except NoBuffer:
            self.host.flush()

    def announce(self, create: bool) -> None:
        flags = c.NS_CREATE if create else c.NS_DESTROY
        try:
            # A service that no endpoint of the remote waits for.
            self.host.send(
                4000, c.ADDR_NS, b"model".ljust(32, b"\0") + (4000).to_bytes(4, "little")
                + flags.to_bytes(4, "little"), timeout=0,
            )
        except NoBuffer:
            self.host.flush()

    def hold(self, on: bool) -> None:
        self.host.hold_receive(on)
        if not on:
            self.host.repost()

    def repost(self, count: int) -> None:
        self.host.repost(count)

    def quiet(self, on: bool) -> None:
        for queue in self.host.session.queues:
            queue.ring.set_interrupts(not on)

    def take(self) -> None:
        self.host.process()
        self.compare()

    def compare(self) -> None:
        """Everything that has come was due, and came in order."""
        while self.host.inbox:
            message = self.host.inbox.popleft()
            self.model.took(message.dst, message.payload)

    def reset(self) -> None:
        self.host.reset()
        self.host.restart()
        self.started()
        self.host.await_echo()

    def reconnect(self) -> None:
        self.host.reconnect()
        self.started()
        self.host.await_echo()

    def end(self) -> None:
        """Everything that is owed arrives, and every buffer comes back."""
        host = self.host
        self.hold(False)
        self.quiet(False)
        host.flush()
        host.input.kick()

        def all_here() -> bool:
            self.compare()
            return not self.model.outstanding

        host.wait(all_here, what="echo that is still due")
        host.check()
        host.wait(lambda: not host.output.ring.outstanding, what="return of all send buffers")


def play(connect: Callable[[Config | None], RemoteHost], config: Config, steps: list[Step]) -> None:
    """One example from connection to close."""
    host = connect(config)
    try:
        run = Run(host)
        for name, *arguments in steps:
            getattr(run, name)(*arguments)
        run.end()
    finally:
        host.close()


def check_model(connect: Connect, number: int, steps: Any) -> None:
    """Draw and play examples. The smallest that fails is what the verdict shows."""
    steps_of = [""]

    @with_seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        verbosity=Verbosity.quiet,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(config=_configs, steps=steps)
    def examples(config: Config, steps: list[Step]) -> None:
        try:
            play(connect, config, steps)
        except (AssertionError, PeerError) as error:
            steps_of[0] = f"rings {config.ring_sizes}, indices from {config.bases}, {steps}"
            raise

    try:
        examples()
    except Flaky as error:
        raise Unmet("the same every time", f"now right, now wrong: {steps_of[0]}") from error
    except Unmet as error:
        raise Unmet(error.expected, f"{error.observed}; with {steps_of[0]}") from error
    except PeerError as error:
        error.args = (f"{error}; with {steps_of[0]}",)
        raise


@pytest.mark.requirement("BF-025")
@pytest.mark.parametrize("part", range(3))
def test_model_legal_traffic_loses_nothing(
    part: int, connect: Connect, echo: object, seed: int
) -> None:
    check_model(connect, seed + part, st.lists(_steps, min_size=3, max_size=STEPS))


@pytest.mark.requirement("BF-026")
def test_model_plain_traffic_stays_in_order(
    connect: Connect, echo: object, seed: int
) -> None:
    check_model(connect, seed, st.lists(_sends, min_size=5, max_size=60))


@pytest.mark.requirement("LC-014")
def test_model_sessions_that_end_at_any_point_do_no_harm(
    connect: Connect, echo: object, seed: int
) -> None:
    steps = st.lists(
        st.one_of(_sends, st.tuples(st.just("reset")), st.tuples(st.just("reconnect"))),
        min_size=4,
        max_size=STEPS,
    )
    check_model(connect, seed, steps)
