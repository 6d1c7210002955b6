# SPDX-License-Identifier: BSD-2-Clause
"""The mutants of the remote in Python: what each does wrong, and which requirement that breaks.

``also`` are the side effects: requirements whose verdict may be worse as well, because their cases
have to go through what the mutant spoils. The verdict of every other one has to be that of the
remote without a mistake.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One mistake."""

    name: str
    requirement: str
    text: str
    also: tuple[str, ...] = ()


MUTANTS = (
    Mutant("vu-cut-message-kept", "VU-001", "a connection that ends within a header stays open"),
    Mutant("vu-size-unchecked", "VU-002", "SET_VRING_NUM is accepted with a payload that is too long"),
    Mutant("vu-version-unchecked", "VU-003", "messages of another version are answered"),
    Mutant("vu-unknown-accepted", "VU-004", "an unknown request is answered with 0"),
    Mutant("vu-descriptors-leak", "VU-005", "one of the surplus descriptors stays open"),
    Mutant("vu-queue-unchecked", "VU-006", "SET_VRING_NUM of a queue above the last is accepted"),
    Mutant("vu-ring-size-unchecked", "VU-007", "an impossible ring size is accepted"),
    Mutant("vu-base-unchecked", "VU-008", "a base beyond 16 bits is accepted"),
    Mutant("vu-ring-address-unaligned", "VU-009", "a ring may lie at an odd address"),
    Mutant(
        "vu-features-unchecked",
        "VU-010",
        "features that were not offered are accepted",
        (
            "FT-002",
        ),
    ),
    Mutant("vu-protocol-unchecked", "VU-011", "protocol features that were not offered are accepted"),
    Mutant("vu-overlap-accepted", "VU-012", "regions may overlap"),
    Mutant("vu-many-regions-accepted", "VU-013", "a table of more than 8 regions is accepted"),
    Mutant("vu-slots-unchecked", "VU-013", "a region beyond the last slot is accepted"),
    Mutant(
        "vu-short-file-accepted",
        "VU-014",
        "a file shorter than its region is accepted",
        (
            "VU-012",
        ),
    ),
    Mutant("vu-removes-nothing", "VU-015", "the removal of a region that does not exist is accepted"),
    Mutant("vu-config-unchecked", "VU-016", "configuration beyond the end is given out"),
    Mutant("vu-status-unasked", "VU-017", "GET_STATUS is answered though STATUS was not negotiated"),
    Mutant("vu-status-dies", "VU-018", "it dies of unknown status bits"),
    Mutant("vu-late-size-accepted", "VU-019", "the size of a running ring is accepted"),
    Mutant("vu-file-accepted", "VU-020", "a file is taken for an event descriptor"),
    Mutant("vu-log-too-small", "VU-021", "a dirty log that is too small is accepted"),
    Mutant("vu-odd-flags-accepted", "VU-022", "a message with odd flags is accepted unseen"),
    Mutant("vu-enable-2-accepted", "VU-023", "SET_VRING_ENABLE takes 2"),
    Mutant("vu-base-off-by-one", "VU-030", "GET_VRING_BASE answers one too many"),
    Mutant("vu-two-replies", "VU-031", "SET_VRING_ERR without descriptor gets two replies"),
    Mutant("vu-status-survives", "VU-032", "the next front-end finds the status of the one before"),
    Mutant("vu-reset-device-closes", "VU-033", "RESET_DEVICE closes the connection"),
    Mutant("vu-border", "VU-034", "a buffer ends where its region does"),
    Mutant("vu-added-not-used", "VU-035", "a region that is added later is not used"),
    Mutant("vu-disabled-served", "VU-036", "a disabled ring is served"),
    Mutant("vu-err-silent", "VU-037", "a broken queue does not signal its err descriptor"),
    Mutant("vu-random-bytes-die", "VU-038", "it dies of a header that is none"),
    Mutant("vu-config-offset-ignored", "VU-039", "the offset of a configuration read is ignored"),
    Mutant("vu-log-forgets-buffers", "VU-040", "receive buffers are not marked in the dirty log"),
    Mutant("vu-log-forgets-rings", "VU-040", "used rings are not marked in the dirty log"),
    Mutant("vu-status-loses-a-bit", "VU-041", "GET_STATUS leaves DRIVER out"),
    Mutant("vq-jump-followed", "VQ-001", "an available index that jumps is followed"),
    Mutant(
        "vq-head-dies",
        "VQ-002",
        "it dies of a head above the ring",
        (
            "VU-037",
        ),
    ),
    Mutant("vq-next-dies", "VQ-003", "it dies of a next above the ring"),
    Mutant("vq-loop-hangs", "VQ-004", "it never comes out of an indirect table that loops"),
    Mutant("vq-outside-dies", "VQ-005", "it dies of an address that wraps around"),
    Mutant("vq-order-dies", "VQ-006", "it dies of a readable descriptor after a writable one"),
    Mutant("vq-indirect-unasked-dies", "VQ-007", "it dies of an indirect descriptor that was not negotiated"),
    Mutant("vq-indirect-unasked-followed", "VQ-007", "indirect descriptors are followed unasked"),
    Mutant("vq-table-length-dies", "VQ-008", "it dies of part of an indirect entry"),
    Mutant("vq-nested-dies", "VQ-009", "it dies of an indirect table in an indirect table"),
    Mutant("vq-indirect-next-dies", "VQ-010", "it dies of INDIRECT with NEXT"),
    Mutant("vq-same-head-dies", "VQ-011", "it dies of a head that is available twice"),
    Mutant("vq-4-gib-dies", "VQ-012", "it dies of a chain above 4 GiB"),
    Mutant("vq-memory-kept", "VQ-013", "a new table of memory is ignored while rings run"),
    Mutant("vq-readable-filled", "VQ-050", "a receive buffer that is device-readable is written to"),
    Mutant(
        "vq-returned-twice",
        "VQ-051",
        "the 295th send buffer comes back twice",
        (
            "BF-025", "BF-026", "VQ-065",
        ),
    ),
    Mutant("vq-used-length-short", "VQ-052", "the used length of 255 bytes is one too small"),
    Mutant("vq-send-buffer-used", "VQ-053", "send buffers come back with a used length of 16"),
    Mutant("vq-first-descriptor-only", "VQ-054", "only the first descriptor of a send buffer is read"),
    Mutant("vq-indirect-first-only", "VQ-055", "only the first entry of an indirect table is read"),
    Mutant("vq-no-interrupt-ignored", "VQ-056", "NO_INTERRUPT is ignored"),
    Mutant("vq-avail-event-stale", "VQ-057", "avail_event stays where it was after 100 buffers"),
    Mutant("vq-used-event-ignored", "VQ-058", "every used buffer interrupts, whatever used_event says"),
    Mutant("vq-returns-quietly", "VQ-059", "a message to nobody is returned without interrupt"),
    Mutant("vq-send-buffer-written", "VQ-060", "the reserved field of a message to 53 is written over"),
    Mutant("vq-no-16384", "VQ-061", "rings of 16384 are refused"),
    Mutant("vq-index-does-not-wrap", "VQ-062", "the used index stays at 65535"),
    Mutant(
        "vq-address-of-32-bits",
        "VQ-063",
        "the upper half of an address is lost",
        (
            "VU-035",
        ),
    ),
    Mutant(
        "vq-writes-behind",
        "VQ-064",
        "a byte is written behind a buffer that is full",
        (
            "BF-021",
        ),
    ),
    Mutant(
        "vq-index-first",
        "VQ-065",
        "a used index is shown before its entry",
        (
            "BF-025", "BF-026", "HD-023", "VQ-051", "VQ-069",
        ),
    ),
    Mutant("vq-first-piece-only", "VQ-066", "only the first descriptor of a receive buffer is used"),
    Mutant("vq-held-wrong-id", "VQ-067", "a buffer that was held in a ring of 8 comes back as the next"),
    Mutant("vq-empty-kicks-break", "VQ-068", "30 kicks without a buffer break the queue"),
    Mutant("vq-sleeps-too-soon", "VQ-069", "after 400 buffers it sleeps without having looked"),
    Mutant("hd-src-swapped", "HD-002", "the bytes of one source address are read in the wrong order"),
    Mutant(
        "hd-source-any",
        "HD-005",
        "one message comes from ANY",
        (
            "BF-020", "BF-025", "BF-026", "EP-012", "FT-004", "FT-006", "HD-023", "NS-031",
            "VQ-051", "VQ-056", "VQ-057", "VQ-062", "VQ-063", "VQ-065", "VQ-069", "VU-032",
        ),
    ),
    Mutant("hd-answers-any", "HD-006", "a message from ANY is answered to ANY"),
    Mutant("hd-any-delivered", "HD-006", "a message to ANY reaches the echo"),
    Mutant("hd-reserved-copied", "HD-007", "the reserved field is sent back"),
    Mutant("hd-flags-copied", "HD-008", "the flags are sent back"),
    Mutant("hd-completed", "HD-010", "a header that is cut is completed from behind its descriptor"),
    Mutant("hd-len-believed", "HD-011", "a length above the descriptor is believed"),
    Mutant(
        "hd-big-endian",
        "HD-012",
        "one header is big-endian",
        (
            "VQ-066",
        ),
    ),
    Mutant("hd-flags-dropped", "HD-014", "messages with flags are dropped"),
    Mutant("hd-wrong-source", "HD-022", "the answer to address 1 comes from another endpoint"),
    Mutant("hd-len-twice", "HD-023", "len is read again after it was checked"),
    Mutant("hd-dst-twice", "HD-023", "the source of an answer is a second read of the destination"),
    Mutant("hd-len-above", "HD-024", "len of a message of 2 bytes is 3"),
    Mutant("ns-41-bytes", "NS-003", "an announcement is 41 bytes"),
    Mutant("ns-unterminated", "NS-004", "an announced name has no NUL"),
    Mutant("ns-dirty", "NS-005", "bytes behind an announced name are not 0"),
    Mutant("ns-flag-dies", "NS-006", "it dies of unknown flag 7"),
    Mutant("ns-unasked", "NS-007", "it announces without F_NS"),
    Mutant(
        "ns-not-kept",
        "NS-030",
        "announcements are lost when there is no buffer yet",
        (
            "VU-033",
        ),
    ),
    Mutant("ns-repeats", "NS-031", "an endpoint is announced twice"),
    Mutant("ns-speaks-after-destroy", "NS-033", "it speaks to an address that was withdrawn"),
    Mutant(
        "ns-not-offered",
        "NS-034",
        "it announces, but does not offer F_NS",
        (
            "BF-012", "BF-020", "NS-007", "NS-030", "VQ-001", "VQ-002", "VQ-003", "VQ-004",
            "VQ-005", "VQ-006", "VQ-007", "VQ-008", "VQ-009", "VQ-010", "VQ-011", "VQ-012",
            "VU-037",
        ),
    ),
    Mutant("ns-long-dies", "NS-035", "it dies of an announcement of 41 bytes"),
    Mutant("ns-unterminated-dies", "NS-036", "it dies of a name without NUL"),
    Mutant("ns-all-flags-die", "NS-037", "it dies of an announcement with all flags"),
    Mutant("ep-nobody-answers", "EP-010", "an address that nobody has answers"),
    Mutant("ep-no-negative-peer", "EP-011", "answers to 0xfffffffe go elsewhere"),
    Mutant("ep-high-peer-lost", "EP-011", "messages from 0x80000000 are lost"),
    Mutant(
        "ep-unknown-peer",
        "EP-012",
        "it speaks to an address that it never heard of",
        (
            "BF-020", "HD-023",
        ),
    ),
    Mutant(
        "ep-twice",
        "EP-013",
        "two services have one address",
        (
            "BF-020",
        ),
    ),
    Mutant("ep-low", "EP-014", "a service has the address 500"),
    Mutant(
        "ep-53",
        "EP-015",
        "a service has the address 53",
        (
            "EP-014",
        ),
    ),
    Mutant("ep-useless-dies", "EP-016", "it dies of a message that the sink cannot use"),
    Mutant("bf-small-buffer-dies", "BF-012", "it dies of a receive buffer below a header"),
    Mutant(
        "bf-starved-loses",
        "BF-020",
        "without a receive buffer answers are lost",
        (
            "BF-025", "VQ-067",
        ),
    ),
    Mutant("bf-len-above-buffer", "BF-021", "len is above what the buffer holds"),
    Mutant(
        "bf-cuts-at-495",
        "BF-022",
        "a payload is cut at 495 bytes",
        (
            "BF-024", "VQ-061", "VQ-066",
        ),
    ),
    Mutant(
        "bf-drops-empty",
        "BF-022",
        "empty messages are dropped",
        (
            "BF-021", "HD-024", "VQ-052", "VQ-053", "VQ-054", "VQ-061", "VQ-066", "VU-040",
        ),
    ),
    Mutant("bf-short-is-kept", "BF-023", "a descriptor of 7 bytes is not returned"),
    Mutant("bf-512-only", "BF-024", "no more than 512 bytes of a buffer are used"),
    Mutant("bf-full-loses", "BF-025", "answers are lost when the send queue is full, too"),
    Mutant(
        "bf-loses-one",
        "BF-026",
        "the 700th answer of a session is lost",
        (
            "BF-025", "VQ-069",
        ),
    ),
    Mutant("ft-one-queue", "FT-001", "GET_QUEUE_NUM answers 1"),
    Mutant("ft-all-accepted", "FT-002", "all 64 feature bits at once are accepted"),
    Mutant(
        "ft-no-event-idx",
        "FT-007",
        "EVENT_IDX is not offered",
        (
            "VQ-057", "VQ-058",
        ),
    ),
    Mutant(
        "ft-no-version-1",
        "FT-003",
        "VERSION_1 is not offered",
        (
            "HD-002", "HD-012",
        ),
    ),
    Mutant("ft-config-changes", "FT-004", "the configuration changes after ten messages"),
    Mutant("ft-bufsz-version", "FT-005", "the version of F_BUFSZ is 2"),
    Mutant("ft-event-idx-unasked", "FT-006", "avail_event is written without EVENT_IDX"),
    Mutant("lc-early", "LC-010", "it announces before DRIVER_OK"),
    Mutant("lc-forgets-announcement", "LC-011", "after a reset one service is not announced again"),
    Mutant("lc-writes-after-reset", "LC-012", "it writes to the used ring after a reset"),
    Mutant("lc-vanishing-dies", "LC-013", "it dies of a front-end that vanishes during the handshake"),
    Mutant("lc-fifth-reset-dies", "LC-014", "it dies of the fifth reset of a connection"),
    Mutant("lc-ninetieth-reset-dies", "LC-015", "it dies of the 90th reset of a connection"),
)

#: Musts and shoulds that have a case, but no mutant, and why.
WITHOUT_MUTANT: dict[str, str] = {}
