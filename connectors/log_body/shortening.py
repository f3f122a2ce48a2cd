"""Makes the body of a call log short enough for its CRM."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from adapters.contract import LogFormat
from connectors.log_body.lengths import SHORTENED, shortened
from connectors.log_body.markup import escape
from connectors.log_body.places import Place, applied
from connectors.log_body.reading import note_in, places_in
from connectors.log_body.rendering import render_value
from connectors.log_body.sections import SECTIONS
from connectors.log_body.text_labels import shielded, unshielded

#: What is cut, in this order; the note only where nothing else is left.
_LONG = ("transcript", "ring_sense_transcript", "ai_note", "ring_sense_summary", "ring_sense_bulleted_summary", "legs")


def fitted(body: str, limit: int, log_format: LogFormat) -> str:
    """The body with as much of its long sections as ``limit`` characters hold; each that is cut says so.

    Transcripts are cut first, then the AI note and RingSense's summaries, the note last of all. Links, times and what
    people wrote beside them stay, so that a body full of those may be too long after all.
    """
    for name in _LONG:
        if len(body) <= limit:
            return body
        section = next(section for section in SECTIONS if section.name == name)
        place = places_in(body, log_format).sections.get(name)
        if place is not None:
            text = unshielded(place.text.strip("\n"), log_format)
            body = _cut(body, place, text, limit, lambda value: render_value(section, value, log_format))  # noqa: B023
    note = places_in(body, log_format).note if len(body) > limit else None
    if note is None:
        return body
    write = escape if log_format is LogFormat.HTML else lambda value: shielded(value, log_format)
    return _cut(body, note, note_in(note, log_format), limit, write)


def _cut(body: str, place: Place, text: str, limit: int, write: Callable[[str], str]) -> str:
    """The body with the longest beginning of the text that fits; at least with the word that it was shortened."""
    text = text.removesuffix(SHORTENED).rstrip("\n")
    others = len(body) - (place.end - place.start) + len(place.before) + len(place.after)

    def length(most: int) -> int:
        return others + len(write(_beginning(text, most)))

    lengths = range(len(SHORTENED), len(text) + len(SHORTENED) + 1)
    fits = bisect_right(lengths, limit, key=length)
    value = _beginning(text, lengths[max(fits - 1, 0)])
    edited = applied(body, [place.holding(write(value))])
    return edited if len(edited) < len(body) else body


def _beginning(text: str, most: int) -> str:
    """As much of the text as ``most`` characters hold, together with the word that it was shortened."""
    return shortened(text + " " * (len(SHORTENED) + 1), most)
