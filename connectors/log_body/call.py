"""Composes the body of a call log, and recomposes it over what stands in the CRM."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo

from adapters.contract import LogFormat, Options
from connectors.log_body.call_details import CallDetails, Wanted, wanted_note, wanted_sections
from connectors.log_body.line_breaks import with_its_newlines
from connectors.log_body.markup import escape
from connectors.log_body.places import Edit, Place, Places, applied
from connectors.log_body.reading import note_in, places_in
from connectors.log_body.rendering import render, render_value
from connectors.log_body.sections import AGENT_NOTES, CALL_DETAILS, PENDING, Kind
from connectors.log_body.shortening import fitted
from connectors.log_body.text_labels import NOTE, shielded


def compose_call(
    details: CallDetails,
    *,
    log_format: LogFormat,
    options: Options,
    zone: tzinfo,
    limit: int | None = None,
) -> str:
    """The body of a new call log; ``limit`` as for ``update_call``."""
    return update_call("", details, log_format=log_format, options=options, zone=zone, limit=limit)


def update_call(
    body: str,
    details: CallDetails,
    *,
    log_format: LogFormat,
    options: Options,
    zone: tzinfo,
    facts_only: bool = False,
    limit: int | None = None,
) -> str:
    """The body with our own sections replaced in place, or added; all other text stays.

    ``facts_only``: a person has written the note, so note, subject, time and journey are theirs.
    ``limit``: how many characters the CRM takes. A longer body is cut, see ``shortening.fitted``.
    """
    wanted = list(wanted_sections(details, log_format=log_format, options=options, zone=zone, facts_only=facts_only))
    note = wanted_note(details, options=options, facts_only=facts_only)

    def updated(body: str) -> str:
        places = places_in(body, log_format)
        edits = [*_note_edits(places, note, log_format), *_section_edits(body, places, wanted, log_format)]
        return applied(body, [*places.repairs, *edits])

    body = with_its_newlines(body, log_format, updated)
    return body if limit is None else fitted(body, limit, log_format)


def _section_edits(body: str, places: Places, wanted: Sequence[Wanted], log_format: LogFormat) -> list[Edit]:
    edits: list[Edit] = []
    items, added = "", ""
    for item in wanted:
        place = places.sections.get(item.section.name)
        if place is not None:
            edits += _replaced(place, item, log_format)
        elif item.section.html_in_list and places.end_of_list >= 0:
            items += render(item.section, item.value, log_format, label=item.label)
        else:
            added += _added(added or body, item, log_format)
    if items:
        edits.append(Edit(places.end_of_list, places.end_of_list, items))
    return [*edits, Edit(places.end, places.end, added)]


def _replaced(place: Place, wanted: Wanted, log_format: LogFormat) -> list[Edit]:
    """The change of a section that is there; none where it holds the value already, however it is written."""
    section, value = wanted.section, wanted.value
    if section.kind is Kind.LINK and not value.lower().startswith("http") and "http" in place.source:
        return []  # an old update that arrives late does not take a real link away
    if section.name == "user_name" and PENDING not in place.text:
        return []
    is_whole = log_format is LogFormat.HTML and not place.after
    if is_whole and section.kind is not Kind.LINK and place.text.strip() == value.strip():
        return []
    if log_format is LogFormat.MARKDOWN and section.kind in (Kind.BLOCK, Kind.LEGS):
        value = value.rstrip("\n")
    return [place.holding(render_value(section, value, log_format))]


def _added(before: str, wanted: Wanted, log_format: LogFormat) -> str:
    """A section that is not there yet, to follow ``before``."""
    text = render(wanted.section, wanted.value, log_format, label=wanted.label)
    if log_format is LogFormat.HTML:
        return f"{text}<br>" if wanted.section.html_break else text
    start = "" if not before or before.endswith("\n") else "\n"
    if log_format is LogFormat.PLAIN and wanted.section.kind is Kind.BLOCK:
        start += "\n"
    return f"{start}{text}\n"


def _note_edits(places: Places, note: str, log_format: LogFormat) -> list[Edit]:
    if not note:
        return []
    shown = escape(note) if log_format is LogFormat.HTML else shielded(note, log_format)
    if places.note is not None:
        is_there = note_in(places.note, log_format) == note
        return [] if is_there else [places.note.holding(shown)]
    if log_format is LogFormat.PLAIN:
        return [Edit(places.start, places.start, f"- {NOTE}: {shown}\n")]
    if log_format is LogFormat.HTML:
        heading = f"<b>{AGENT_NOTES}</b><br>{shown}<br><br>"
        details = f"<b>{CALL_DETAILS}</b><br>"
    else:
        heading, details = f"## {AGENT_NOTES}\n{shown}\n\n", f"## {CALL_DETAILS}\n"
    at = places.before_details
    return [Edit(at, at, heading) if at >= 0 else Edit(places.start, places.start, heading + details)]
