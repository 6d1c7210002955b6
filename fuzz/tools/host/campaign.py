# SPDX-License-Identifier: BSD-2-Clause
"""The loop: make lists, carry them out side by side, look at what came of it, keep what is new."""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rpmsg_conformance.expect import TargetUnreachable
from rpmsg_conformance.guest import Bundle

from fuzz.tools import oplist
from fuzz.tools.host import findings as store
from fuzz.tools.host import judge
from fuzz.tools.host.findings import Finding
from fuzz.tools.host.known import Known, has
from fuzz.tools.host.rig import Lost, Rig, Round
from fuzz.tools.host.signature import templates
from fuzz.tools.oplist import Item, Schema
from fuzz.tools.shrink import fewest, shrink_list

#: Bytes of a list.
ROOM = 2048

#: Operations of a list: more only make shrinking long.
MOST = 60

#: Rounds side by side that are kept in case that a finding takes more than one.
HISTORY = 12

#: Of operations that are known to kill, so many are left in.
DEADLY = 0.02

#: Of lists, so many keep entries that make a kernel give up a queue: nothing comes through afterwards.
RING_LIES = 0.4

#: Lists kept in memory.
CORPUS_MOST = 2000

#: A guest is replaced after so many rounds, so that no finding depends on what lies long ago.
GUEST_ROUNDS = 5000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Setup:
    """What stays the same in a campaign."""

    bundle: Bundle
    qemu: Path
    device: Path
    schema: Schema
    known: Known
    work: Path
    findings: Path
    width: int
    factor: float
    avoid: bool  #: leave out operations that are known to kill
    shrink_seconds: float


@dataclass
class Tally:
    """What a campaign has done."""

    rounds: int = 0
    guests: int = 0
    seconds: float = 0.0  #: in rounds
    boot_seconds: float = 0.0
    skipped: int = 0
    deaf: int = 0  #: links that were, for whatever reason
    unsteady: int = 0  #: of links, not seen again
    known: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)  #: new ones, how often
    new: list[str] = field(default_factory=list)  #: folders

    def line(self) -> str:
        """All in one line."""
        rate = self.rounds / self.seconds if self.seconds else 0.0
        parts = [f"{self.rounds} rounds ({rate:.1f} a second)", f"{self.guests} guests"]
        parts.append(f"{self.deaf} links deaf")
        if self.known:
            parts.append("known: " + ", ".join(f"{n} x {what}" for what, n in sorted(self.known.items())))
        parts.append(f"new: {len(self.new)}")
        return "; ".join(parts)


class Campaign:
    """One guest at a time, attacked until somebody says stop."""

    def __init__(self, setup: Setup, seed: int, corpus: Sequence[bytes], say: Say) -> None:
        self.setup = setup
        self.tally = Tally()
        self._random = random.Random(seed)
        self._corpus = list(corpus)
        self._queue = deque(corpus)
        self._say = say
        self._rig: Rig | None = None
        #: The next guest boots while this one is tried, as long as most trials are to cost one.
        self._spare: Rig | None = None
        self._shrinking = False
        self._history: deque[list[bytes]] = deque(maxlen=HISTORY)
        self._seen: set[str] = set()
        self._guest_rounds = 0
        self._told: set[str] = set()
        self.grown: list[bytes] = []

    def run(self, seconds: float, rounds: int) -> None:
        """Go on for a time, or for so many rounds; 0: no limit. Raises TargetUnreachable."""
        deadline = time.monotonic() + seconds if seconds else float("inf")
        try:
            while time.monotonic() < deadline and (not rounds or self.tally.rounds < rounds):
                width = self.setup.width
                if rounds:
                    width = min(width, rounds - self.tally.rounds)
                self._batch([self._next() for _ in range(width)])
        finally:
            self.close()
            self._drop_spare()

    def replay(self, lists: Sequence[bytes]) -> tuple[list[str], list[str]]:
        """Carry out lists in a fresh guest, one after the other; what was found, and the log."""
        found: dict[str, None] = {}
        log: list[str] = []
        self._fresh().speak_up()
        for data in lists:
            result = self._round([data])
            log += result.log
            found |= dict.fromkeys(judge.findings(result, [self._items(data)]))
            if result.lost is not None:
                log.append(f"{result.lost}: {result.detail}")
                break
        self.close()
        return list(found), log

    def close(self) -> None:
        """End the guest."""
        if self._rig is not None:
            self._rig.stop()
            self._rig = None

    def _drop_spare(self) -> None:
        self._shrinking = False
        if self._spare is not None:
            self._spare.stop()
            self._spare = None
            self.tally.guests -= 1

    # ---- lists

    def _items(self, data: bytes) -> list[Item]:
        return oplist.decode(self.setup.schema, data)

    def _next(self) -> bytes:
        if self._queue:
            return self._tamed(self._queue.popleft(), 0.0 if self.setup.avoid else 1.0, True)
        devices = (self._rig or self._fresh()).devices
        parent = self._random.choice(self._corpus) if self._corpus else self.setup.schema.header
        if self._corpus and self._random.random() < 0.2:
            other = self._random.choice(self._corpus)
            crossed = devices.crossed(parent, other, self._random.getrandbits(32), ROOM)
            parent = crossed or parent
        for _ in range(self._random.randint(1, 4)):
            parent = devices.mutated(parent, self._random.getrandbits(32), ROOM)
        keep = 0.0 if self.setup.avoid else DEADLY
        return self._tamed(parent, keep, self._random.random() < RING_LIES)

    def _tamed(self, data: bytes, keep: float, lies: bool) -> bytes:
        """A list that devices read, with so much of what is known to kill, and perhaps without lies in a ring."""
        try:
            items = self._items(data)
        except ValueError:
            # Bytes were mutated: what is no list any more is one operation fewer.
            return self.setup.schema.header
        items = [
            item
            for item in items[:MOST]
            if (lies or not has([item], "ring-lie"))
            and (not self.setup.known.deadly(item) or self._random.random() < keep)
        ]
        return oplist.encode(self.setup.schema, items)

    # ---- rounds

    def _fresh(self) -> Rig:
        """A guest that nothing was done to yet."""
        self.close()
        setup = self.setup
        started = time.monotonic()
        self._rig = rig = self._spare or self._started()
        self._spare = self._started() if self._shrinking else None
        try:
            rig.boot()
        except Lost as error:
            raise TargetUnreachable(f"guest {setup.bundle.name} is lost before any attack: {error}") from None
        if self._shrinking:
            rig.speak_up()
        self.tally.boot_seconds += time.monotonic() - started
        self._history.clear()
        self._guest_rounds = 0
        return rig

    def _started(self) -> Rig:
        """A guest that boots."""
        setup = self.setup
        self.tally.guests += 1
        folder = setup.work / f"guest-{self.tally.guests % 4}"
        return Rig(setup.bundle, setup.qemu, setup.device, folder, setup.width, setup.factor)

    def _round(self, lists: Sequence[bytes], wait: bool = True) -> Round:
        """Carry lists out side by side; ``wait`` for a kernel that is lost to say why."""
        rig = self._rig or self._fresh()
        result = rig.run(lists, [self._may_be_deaf(self._items(data)) for data in lists])
        if result.lost is not None:
            result.log += rig.last_words(wait)
            self.close()
        return result

    def _may_be_deaf(self, items: Sequence[Item]) -> bool:
        """Whether it would be no news that a list leaves its link deaf."""
        name = judge.deafness(items)
        return name is None or self.setup.known.find(name, items) is not None

    def _batch(self, lists: list[bytes]) -> None:
        if self._rig is None or self._guest_rounds >= GUEST_ROUNDS:
            self._fresh()
        started = time.monotonic()
        result = self._round(lists)
        self.tally.seconds += time.monotonic() - started
        self.tally.rounds += len(lists)
        self._guest_rounds += len(lists)
        self.tally.skipped += sum(seen.skipped for seen in result.seen)
        self.tally.deaf += sum(seen.deaf for seen in result.seen)
        decoded = [self._items(data) for data in lists]
        for name, numbers in judge.findings(result, decoded).items():
            self._found(name, numbers, lists, result)
        self._learn(result, lists)
        self._history.append(lists)

    def _learn(self, result: Round, lists: Sequence[bytes]) -> None:
        """Keep lists that made the kernel say something new."""
        new = templates(result.log) - self._seen
        if not new:
            return
        self._seen |= new
        for data in lists:
            if data not in self._corpus and len(data) > oplist.HEADER_SIZE:
                self._corpus.append(data)
                self.grown.append(data)
        del self._corpus[:-CORPUS_MOST]

    # ---- findings

    def _found(self, name: str, numbers: Sequence[int], lists: Sequence[bytes], result: Round) -> None:
        for number in numbers:
            entry = self.setup.known.find(name, self._items(lists[number]))
            if entry is not None:
                self.tally.known[entry.requirement or name] += 1
                return
        if name in self._told or store.folder_of(self.setup.findings, name).exists():
            self.tally.again[name] += 1
            return
        self._told.add(name)
        self._say(f"found: {name}; looking for the shortest list")
        history = [data for batch in self._history for data in batch]
        self._shrinking = name not in judge.OF_A_LINK
        finding = self._shortest(name, [lists[number] for number in numbers], lists, history, result)
        self._drop_spare()
        if finding is None:
            self.tally.unsteady += 1
            self._told.discard(name)
            self._say("  not seen again")
            return
        entry = self.setup.known.find(name, self._items(finding.data))
        if entry is not None:
            self.tally.known[entry.requirement or name] += 1
            self._told.discard(name)
            self._say(f"  known: {entry.requirement}")
            return
        path = store.claim(self.setup.findings, name)
        if path is None:
            self.tally.again[name] += 1
            return
        store.write(path, self.setup.schema, finding, self.setup.bundle.name)
        self.tally.new.append(str(path))
        self._say(f"new: {name}: {path}")

    def _shortest(
        self,
        name: str,
        suspects: Sequence[bytes],
        beside: Sequence[bytes],
        before: Sequence[bytes],
        first: Round,
    ) -> Finding | None:
        """The shortest list, alone in a guest, that shows a finding; else those that it came with.

        None when it is one of a link, and is not seen again: such a guest was slow.
        """
        deadline = time.monotonic() + self.setup.shrink_seconds
        evidence = first
        tried: dict[bytes, bool] = {}

        def shows(lists: Sequence[bytes], at_once: bool = False) -> bool:
            nonlocal evidence
            if time.monotonic() > deadline:
                return False
            for batch in [list(lists)] if at_once else [[data] for data in lists]:
                result = self._round(batch, wait=name != first.lost)
                if name in judge.findings(result, [self._items(data) for data in batch]):
                    evidence = result
                    if name not in judge.OF_A_LINK:
                        # What a kernel says but once it says only in a guest that has not said it.
                        self.close()
                    return True
                if result.lost is not None:
                    break
            return False

        def found(data: bytes, shown: str, others: Sequence[bytes] = ()) -> Finding:
            lost = f"{evidence.lost}: {evidence.detail}" if evidence.lost else ""
            return Finding(name, data, evidence.log or first.log, lost, shown, others)

        def alone(data: bytes) -> bool:
            if data not in tried:
                tried[data] = shows([data])
            return tried[data]

        self.close()
        for data in suspects:
            if alone(data):
                small = shrink_list(self.setup.schema, data, alone)
                return found(small, "shown by this list alone, in a fresh guest")
        self.close()
        if len(beside) > 1 and shows(beside, at_once=True):
            left = fewest(list(beside), lambda some: shows(some, at_once=True))
            return found(left[0], "shown by these lists side by side", left[1:])
        self.close()
        sequence = [*before, *beside]
        if shows(sequence):
            left = fewest(sequence, shows)
            return found(left[0], "shown by these lists in this order", left[1:])
        self.close()
        if name in judge.OF_A_LINK:
            return None
        how = "seen once, and not again by its list alone, with those beside it, or after those before it"
        return found(suspects[0], how, [data for data in beside if data is not suspects[0]])


def read_corpus(folder: Path, schema: Schema) -> list[bytes]:
    """The lists of a folder; what is none is left out."""
    lists = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        data = path.read_bytes()
        try:
            oplist.decode(schema, data)
        except ValueError:
            continue
        lists.append(data)
    return lists


def write_corpus(folder: Path, lists: Sequence[bytes]) -> None:
    """Add lists to a folder, each under the name of its content."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in lists:
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def read_seeds(folder: Path, schema: Schema) -> list[bytes]:
    """The lists that are kept as text."""
    return [
        oplist.encode(schema, oplist.parse(schema, path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*.txt"))
    ]
