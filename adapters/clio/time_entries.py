"""Time entries: the billable side of a call or of sent messages. They never block the log itself.

Source: Clio API v4 documentation, "Activities" (``quantity`` in seconds since version 4.0.4).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from adapters.clio.communications import chosen_matter, writer
from adapters.clio.replies import data_rows, record_id, timestamp
from adapters.contract import (
    Assignee,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    Direction,
    Dispensable,
    HttpClient,
    Id,
    LoggedCall,
    Message,
    MessageKind,
    Notice,
    NoticeLevel,
    Options,
    dig,
    fan_out_outcomes,
    require_id,
    send_without_gone,
    without_keys,
    zone_of,
)
from adapters.contract.types import Info

_SHORTEST_SMS = 30
#: What an entry refers to and can do without, and its member.
_REFERENCES = (("matter", "matter"), ("owner", "user"))
_NOT_CREATED = "Call logged, but its time entry could not be created."
_NO_MESSAGE_ENTRY = "Message logged, but its time entry could not be created."


@dataclass(frozen=True, kw_only=True)
class TimeEntries:
    """Writes the time entries of one user; every failure comes back as a warning."""

    http: HttpClient
    options: Options
    zone: tzinfo
    user_id: Id

    @property
    def are_on(self) -> bool:
        """Whether calls get time entries: absent and null mean yes."""
        return self.options.flag("clioTimeEntriesEnabled", True)

    def create_for_call(self, log_id: int, entry: CallLogEntry, note: str) -> Notice | None:
        """One entry for a call; a call that is not over counts 0 seconds until it is."""
        if not self.are_on:
            return None
        zone = self._zone_of(entry.assignee)
        data = self._entry(log_id, entry.duration or 0, entry.started_at, note, zone, entry.submission)
        data["non_billable"] = is_non_billable(entry.submission, self.options)
        if entry.assignee:
            data["user"] = {"id": writer(entry.assignee, self.user_id)}
        return _warning(_NOT_CREATED, self._attempt([data]))

    def complete_for_call(self, log_id: int, entry: CallLogEntry, note: str) -> Notice | None:
        """The same for a call whose entry may be there already, from an attempt whose answer was lost."""
        if not self.are_on:
            return None
        try:
            is_there = bool(self._of(log_id))
        except ConnectorError as error:
            return _warning(_NOT_CREATED, [error])
        return None if is_there else self.create_for_call(log_id, entry, note)

    def update_for_call(self, log_id: int, change: CallLogChange, current: LoggedCall) -> Notice | None:
        """Brings the call's entry up to a new duration, or creates it where it is missing."""
        if change.duration is None or not self.are_on:
            return None
        try:
            self._apply(log_id, change, current, change.duration)
        except ConnectorError as error:
            return _warning("Call log updated, but its time entry could not be.", [error])
        return None

    def _apply(self, log_id: int, change: CallLogChange, current: LoggedCall, duration: int) -> None:
        note = change.body or current.body
        entries = self._of(log_id)
        if not entries:
            if duration > 0 and (started_at := change.started_at or current.started_at):
                submission = {**current.dispositions, **change.submission}
                data = self._entry(log_id, duration, started_at, note, self._zone_of(change.assignee), submission)
                data["non_billable"] = is_non_billable(submission, self.options)
                if change.assignee:
                    data["user"] = {"id": writer(change.assignee, self.user_id)}
                self._create(data)
            return
        data = {"quantity": duration}
        if note:
            data["note"] = note
        if change.started_at and not _is_same_time(change.started_at, current.started_at):
            data["date"] = _date(change.started_at, self._zone_of(change.assignee))
        self._patch(require_id(entries[0], "id"), data)

    def move(self, log_id: int, matter: int) -> Notice | None:
        """Files the entries of a log under another matter; entries on a bill stay where they are."""
        if not self.are_on:
            return None
        try:
            entries = self._of(log_id)
        except ConnectorError as error:
            return _warning("The log was moved to the matter, but its time entry was not.", [error])
        outcomes = fan_out_outcomes(
            lambda entry: self._patch(require_id(entry, "id"), {"matter": {"id": matter}}), entries
        )
        return _warning("The log was moved to the matter, but its time entry was not.", outcomes)

    def create_for_messages(
        self,
        log_id: int,
        messages: Sequence[Message],
        contact_name: str,
        submission: Info,
        *,
        may_be_there: bool = False,
    ) -> Notice | None:
        """One entry for each SMS that the user sent, where the user wants that.

        ``may_be_there``: an earlier attempt may have made them; those whose note is found are not made again.
        """
        if not self.options.flag("smsTimeTrackingEnabled"):
            return None
        sent = [
            message
            for message in messages
            if message.kind is MessageKind.SMS and message.direction is Direction.OUTBOUND
        ]
        entries = [self._for_message(log_id, message, contact_name, submission) for message in sent]
        if entries and may_be_there:
            try:
                known = {dig(row, "note", str, "") for row in self._of(log_id, "id,note")}
            except ConnectorError as error:
                return _warning(_NO_MESSAGE_ENTRY, [error])
            entries = [entry for entry in entries if entry["note"] not in known]
        return _warning(_NO_MESSAGE_ENTRY, self._attempt(entries))

    def _for_message(self, log_id: int, message: Message, contact_name: str, submission: Info) -> dict[str, Any]:
        local = message.sent_at.astimezone(self.zone)
        note = f"SMS message with {contact_name} sent on {local:%m/%d/%Y} at {local:%H:%M:%S}"
        seconds = max(math.ceil(message.typing_duration_ms / 1000), self._shortest_sms())
        data = self._entry(log_id, seconds, message.sent_at, note, self.zone, submission)
        data["non_billable"] = self.options.text("smsTimeTrackingDefaultBillable") == "non-billable"
        return data

    def _zone_of(self, assignee: Assignee | None) -> tzinfo:
        return zone_of(assignee.profile.timezone) if assignee and assignee.profile else self.zone

    def _shortest_sms(self) -> int:
        text = self.options.text("smsTimeTrackingMinimumDuration").strip()
        return int(text) if text.isascii() and text.isdigit() else _SHORTEST_SMS

    def _entry(
        self, log_id: int, seconds: int, moment: datetime, note: str, zone: tzinfo, submission: Info
    ) -> dict[str, Any]:
        data: dict[str, Any] = {
            "type": "TimeEntry",
            "communication": {"id": log_id},
            "quantity": seconds,
            "date": _date(moment, zone),
            "note": note,
        }
        if matter := chosen_matter(submission):
            data["matter"] = {"id": matter}
        return data

    def _attempt(self, entries: Iterable[Mapping[str, Any]]) -> list[ConnectorError | None]:
        return fan_out_outcomes(self._create, entries)

    def _create(self, data: Mapping[str, Any]) -> None:
        """Without the matter or the assigned user where these are gone: the time is worth more."""
        dispensable = [Dispensable(what=what, without=without_keys(key)) for what, key in _REFERENCES]
        send_without_gone(
            lambda values: self.http.post("activities.json", json={"data": values}), dict(data), dispensable
        )

    def _patch(self, entry_id: Id, data: Mapping[str, Any]) -> None:
        self.http.patch(f"activities/{record_id(entry_id)}.json", json={"data": dict(data)})

    def _of(self, log_id: int, fields: str = "id,quantity") -> list[dict[str, Any]]:
        params = {"communication_id": log_id, "fields": fields}
        return data_rows(self.http.get("activities.json", params=params))


def is_non_billable(submission: Info, options: Options) -> bool:
    """The choice in the form, else the user's setting; unset means billable, which is what the form shows.

    The setting was once a checkbox: false stands for billable, true for non-billable.
    """
    if isinstance(submission.get("nonBillable"), bool):
        return bool(submission["nonBillable"])
    status = dig(submission, "billableStatus", str, "")
    if status and status != "none":
        return status != "billable"
    setting = options.values.get("clioDefaultNonBillableTick")
    return setting not in (None, "", "billable", False, "false")


def _date(moment: datetime, zone: tzinfo) -> str:
    """The day in the user's own zone: in UTC an evening's call would land on the next day's bill."""
    return f"{moment.astimezone(zone):%Y-%m-%d}"


def _is_same_time(new: datetime, old: datetime | None) -> bool:
    return old is not None and timestamp(new) == timestamp(old)


def _warning(message: str, outcomes: Iterable[ConnectorError | None]) -> Notice | None:
    errors = [outcome for outcome in outcomes if outcome is not None]
    if not errors:
        return None
    lines = dict.fromkeys(text for error in errors for text in (error.message, error.reason) if text)
    return Notice(message=message, level=NoticeLevel.WARNING, ttl=5000, details=tuple(lines))
