# SPDX-License-Identifier: BSD-2-Clause
"""What all HTML pages have in common: one self-contained file, everything from outside escaped.

Style and script are in the page itself, and its content security policy allows these two by their
hashes and nothing else: text that slipped through would still not run.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import jinja2
from markupsafe import Markup

from rpmsg_conformance.virtio import trace_text

TEMPLATES = Path(__file__).resolve().parent / "templates"

#: What the prefixes of the catalogue's IDs stand for, in the order of the pages.
GROUPS: Mapping[str, str] = {
    "VU": "vhost-user messages",
    "VQ": "Virtqueues",
    "HD": "Message header",
    "NS": "Name service",
    "EP": "Endpoints and addresses",
    "BF": "Buffers and sizes",
    "FT": "Features",
    "LC": "Life cycle",
    "UA": "Linux user-space interface",
    "KA": "Linux in-kernel interface",
}

#: Controls but tab and newline, halves of surrogate pairs, and what turns the direction of text.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff0-\uffff"
    "\ud800-\udfff]"
)


def visible(value: object) -> object:
    """The value as a page can show it: what nobody would see becomes ``<U+202E>``."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSEEN.sub(lambda found: f"<U+{ord(found.group()):04X}>", value)
    return value


def render(template: str, **values: Any) -> str:
    """The page that ``templates/<template>`` makes of the values."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=visible,
    )
    environment.filters.update(
        link=_link, options=_options, inside=_inside, duration=_duration, excerpt=_excerpt
    )
    page: str = environment.get_template(template).render(
        style=Markup(style),
        script=Markup(script),
        policy=(
            f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        groups=GROUPS,
        **values,
    )
    return page


def as_bytes(page: str) -> bytes:
    """The page as it is written to a file."""
    return page.encode("utf-8", errors="backslashreplace")


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _link(url: str | None) -> str | None:
    """The URL if it may be followed from a page (http or https), or None."""
    try:
        return url if url and urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None


def _inside(path: str | None) -> str | None:
    """The path, quoted for a link, if it stays in the folder of the page; or None."""
    if not path or path.startswith("/") or ".." in path.split("/"):
        return None
    # "./" keeps a name with a colon from being taken for a scheme.
    return "./" + quote(path, errors="replace")


def _options(command: str) -> list[str]:
    """A command line in pieces that are not to be torn apart: each option with its values."""
    return re.split(r" (?=--?[a-zA-Z])", command)


def _excerpt(messages: Sequence[str]) -> list[str]:
    """Those of a case's messages that are worth reading first."""
    return trace_text.excerpt(messages, 8)


def _duration(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds >= 120:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    if seconds >= 10:
        return f"{seconds:.0f} s"
    return f"{seconds:.1f} s" if seconds >= 0.95 else f"{seconds * 1000:.0f} ms"
