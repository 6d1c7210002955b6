# SPDX-License-Identifier: BSD-2-Clause
"""What became of numbered messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

#: Of these not one may be there.
WRONG = ("lost", "doubled", "reordered", "damaged")


@dataclass
class Stream:
    """Counts of one stream of numbered messages."""

    sent: int = 0
    received: int = 0
    lost: int = 0
    doubled: int = 0
    reordered: int = 0
    damaged: int = 0
    late: int = 0
    in_flight: int = 0

    def add(self, other: Mapping[str, int]) -> None:
        """Add counts by name; names that are none are passed over."""
        for entry in fields(self):
            setattr(self, entry.name, getattr(self, entry.name) + int(other.get(entry.name, 0)))

    @property
    def unaccounted(self) -> int:
        """Messages that were sent and are under none of the headings; of a source that is not known."""
        return self.sent - self.received - self.lost - self.in_flight if self.sent else 0

    def problems(self, name: str) -> list[str]:
        """What is wrong, in words."""
        counted = {what: getattr(self, what) for what in WRONG}
        found = [f"{name}: {count} {what}" for what, count in counted.items() if count]
        if self.unaccounted:
            found.append(f"{name}: of {self.sent} sent {self.unaccounted} are accounted for nowhere")
        return found


@dataclass
class Totals:
    """All streams of a run, by name."""

    streams: dict[str, Stream] = field(default_factory=dict)

    def stream(self, name: str) -> Stream:
        """The counts of one stream."""
        return self.streams.setdefault(name, Stream())

    def add(self, other: Mapping[str, Mapping[str, int]]) -> None:
        """Add the counts of streams by name."""
        for name, counts in other.items():
            self.stream(name).add(counts)

    def copy(self) -> Totals:
        """The same counts, apart from these."""
        return Totals({name: Stream(**asdict(stream)) for name, stream in self.streams.items()})

    @property
    def messages(self) -> int:
        """Messages that crossed the link, either way."""
        return sum(stream.sent + stream.received for stream in self.streams.values())

    def sum(self, what: str) -> int:
        """One count over all streams."""
        return sum(int(getattr(stream, what)) for stream in self.streams.values())

    def problems(self) -> list[str]:
        """What is wrong, in words."""
        return [text for name, stream in self.streams.items() for text in stream.problems(name)]
