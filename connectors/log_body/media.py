"""Addresses of recordings and files as they may stand in a log: readable by those who may, and without a token."""

from __future__ import annotations

import re
from urllib.parse import quote

from adapters.contract.outbound_guard import refusal

_READER = "https://ringcentral.github.io/ringcentral-media-reader/?media="
#: A token within an address that is itself a parameter of the link.
_ENCODED_TOKEN = re.compile(r"(?:%3F|%26)[A-Za-z_]*token%3D(?:(?!%26|%23)[^&#])*", re.IGNORECASE)


def is_ringcentral(uri: str) -> bool:
    """Whether an address is RingCentral's own: its token goes nowhere else."""
    return not refusal(uri, ("ringcentral.com", "*.ringcentral.com"))


def without_token(link: str) -> str:
    """The link without a token in its query."""
    if "oken=" in link:
        return link.split("?", 1)[0]
    return _ENCODED_TOKEN.sub("", link)


def reader_link(uri: str) -> str:
    """The page that shows a RingCentral file to people who may; empty for an address of somebody else's."""
    return _READER + quote(without_token(uri), safe="") if is_ringcentral(uri) else ""


def file_line(link: str, content_type: str) -> str:
    """What stands in a log for a file: a link, else what kind of file it was."""
    return f"[Link]: {link}" if link else f"[Attachment: {' '.join(content_type.split()) or 'file'}]"
