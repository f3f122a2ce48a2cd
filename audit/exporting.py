"""The audit trail as CSV for spreadsheets, or JSON Lines for programs; a row at a time, whatever the number."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from audit.models import AuditEvent
from audit.seal_keys import COLUMNS, moment_text

#: With one of these at its beginning a spreadsheet takes a cell for a formula (OWASP, "CSV Injection"); the wide forms
#: are those that some take for the same.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠|%")


def chosen(
    *, user: str = "", platform: str = "", since: datetime | None = None, before: datetime | None = None
) -> QuerySet[AuditEvent]:
    """Events in the order in which they were written. ``user``: an actor, with or without ``user:`` and ``staff:``."""
    events = AuditEvent.objects.order_by("pk")
    if user:
        events = events.filter(actor__in=[user, f"user:{user}", f"staff:{user}"])
    if platform:
        events = events.filter(platform=platform)
    if since is not None:
        events = events.filter(occurred_at__gte=since)
    if before is not None:
        events = events.filter(occurred_at__lt=before)
    return events


def as_json_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    for row in _rows(events):
        yield json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n"


def as_csv(events: QuerySet[AuditEvent]) -> Iterator[str]:
    yield _line(COLUMNS)
    for row in _rows(events):
        yield _line([_cell(value) for value in row])


FORMATS: dict[str, Callable[[QuerySet[AuditEvent]], Iterator[str]]] = {"csv": as_csv, "jsonl": as_json_lines}


def _rows(events: QuerySet[AuditEvent]) -> Iterator[list[Any]]:
    for row in events.values_list(*COLUMNS).iterator(chunk_size=2000):
        yield [moment_text(value) if isinstance(value, datetime) else value for value in row]


def _cell(value: Any) -> str | int:
    """A number as it is; a text so that no spreadsheet takes it for a formula."""
    if isinstance(value, int):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.lstrip(" \u00a0").startswith(_FORMULA) or text.startswith(_FORMULA) else text


def _line(values: Any) -> str:
    target = io.StringIO()
    csv.writer(target).writerow(values)
    return target.getvalue()
