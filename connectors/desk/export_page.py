"""The audit trail as a file, for auditors: CSV or JSON Lines, sent a row at a time; each export is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone

from adapters import registry
from audit.exporting import FORMATS, chosen
from audit.recorder import record
from connectors.desk.decisions import actor_of
from connectors.desk.page import needs, page

_LINES_AT_ONCE = 200
_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


def _crms() -> list[tuple[str, str]]:
    named = sorted((manifest.display_name, key) for key, manifest in registry.manifests().items())
    return [("", "all"), *((key, name) for name, key in named)]


class Export(forms.Form):
    """Which events, and as what."""

    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(
        label="To, that day included", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    user = forms.CharField(
        label="Who did it",
        required=False,
        max_length=255,
        help_text="A user's id such as 7301-clio, the name of a member of staff, or worker. Empty: everybody.",
    )
    platform = forms.ChoiceField(label="CRM", required=False, choices=_crms)
    format = forms.ChoiceField(
        choices=[("csv", "CSV, for spreadsheets"), ("jsonl", "JSON Lines, for programs")], initial="csv"
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("since") and values.get("until") and values["until"] < values["since"]:
            self.add_error("until", "This day is before the first one.")
        return values


@needs("audit.view_auditseal")
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The form; a POST answers with the file."""
    form = Export(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _file(request, form.cleaned_data)
    return page(request, "desk/export.html", title="Export the trail", form=form)


def _file(request: HttpRequest, wanted: dict[str, Any]) -> StreamingHttpResponse:
    last = wanted["until"] and wanted["until"] + timedelta(days=1)
    events = chosen(
        user=wanted["user"],
        platform=wanted["platform"],
        since=_beginning(wanted["since"]),
        before=_beginning(last),
    )
    record(
        "audit.export",
        actor=actor_of(request),
        detail={name: str(value) for name, value in wanted.items() if value},
    )
    name = f"audit-trail-{timezone.localdate():%Y-%m-%d}.{wanted['format']}"
    return StreamingHttpResponse(
        _in_pieces(FORMATS[wanted["format"]](events)),
        content_type=_TYPES[wanted["format"]],
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def _in_pieces(lines: Iterator[str]) -> Iterator[str]:
    """Lines together that are worth sending."""
    piece: list[str] = []
    for number, line in enumerate(lines, 1):
        piece.append(line)
        if number % _LINES_AT_ONCE == 0:
            yield "".join(piece)
            piece.clear()
    yield "".join(piece)


def _beginning(day: Any) -> datetime | None:
    """Of the day, in the reader's zone."""
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone()) if day else None
