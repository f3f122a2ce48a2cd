"""Finds the note and the sections in the body of a call log, and reads them back."""

from __future__ import annotations

import re

from adapters.contract import LogFormat
from connectors.log_body.html_call import html_places
from connectors.log_body.line_breaks import in_lines
from connectors.log_body.places import Place, Places
from connectors.log_body.signs import bare
from connectors.log_body.text_call import text_places
from connectors.log_body.text_labels import unshielded

#: With the line break of the source that some editors add.
_BREAK = re.compile(r"<br(?:\s[^<>]*|/)?>\n?", re.IGNORECASE)


def places_in(body: str, log_format: LogFormat) -> Places:
    """Where note and sections stand."""
    return html_places(body) if log_format is LogFormat.HTML else text_places(body, log_format)


def note_in(place: Place, log_format: LogFormat) -> str:
    """The note as the agent wrote it."""
    text = place.text.strip("\n")
    rest, _, last = text.rpartition("\n")
    if log_format is LogFormat.HTML and last and not bare(last):  # a sign of direction, before the next heading
        text = rest.strip("\n")
    return unshielded(text, log_format)


def read_note(body: str, log_format: LogFormat) -> str:
    """The agent's note in a body; "" when it has none."""
    body = in_lines(body, log_format).text
    place = places_in(body, log_format).note
    return note_in(place, log_format) if place else ""


def read_subject(body: str, log_format: LogFormat) -> str:
    """The Summary of a body, for CRMs whose records have no title; "" when it has none."""
    place = places_in(in_lines(body, log_format).text, log_format).sections.get("subject")
    return place.text.strip() if place else ""


def holds(body: str, marker: str) -> bool:
    """Whether a piece of HTML stands in a body, however its line breaks are written."""
    return _BREAK.sub("<br>", marker) in _BREAK.sub("<br>", body)
