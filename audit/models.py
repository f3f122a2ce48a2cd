"""What was logged for whom, under which id in the CRM, and an append-only trail of everything that was done."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from audit.fields import EncryptedTextField
from audit.prepared import PreparedQuery, change
from audit.states import LogState

#: Part of a day whose record was deleted.
_DELETED = 0
#: ``last_error`` of a log whose record was deleted in the CRM.
GONE = "gone"
#: ``last_error`` of a call that support has handed back to the agent; the second: the agent has been told.
HANDED_BACK, HANDED_BACK_AND_TOLD = "handed back", "handed back, told"


class OwnedLog(models.Model):
    """What call logs and conversation logs share: owner, state and the id of the record in the CRM.

    ``owner`` is ``account:<host>:<tenant>`` where the CRM itself reported a tenant at login (colleagues share it),
    else ``user:<uuid>``. Every look-up is scoped by platform and owner. Whoever holds the lease of the first delivery
    of a row is the only one to write its record in the CRM.
    """

    #: State of a row before anything was written.
    UNWRITTEN = LogState.QUEUED

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.CharField(max_length=64)
    owner = models.CharField(max_length=255)
    user = models.ForeignKey("connectors.CrmUser", null=True, on_delete=models.SET_NULL, related_name="+")
    crm_log_id = models.CharField("CRM id", max_length=255, blank=True, default="")
    #: Whether the vendor's id is a JSON number: the client gets it back in the same type.
    crm_log_id_is_number = models.BooleanField(default=False, editable=False)
    contact_id = models.CharField(max_length=255, blank=True, default="")
    contact_type = models.CharField(max_length=64, blank=True, default="")
    #: The other side's number, so that support finds it: keyed hash and last four digits, see ``audit.numbers``.
    number_hash = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    number_ending = models.CharField(max_length=4, blank=True, default="", db_default="", editable=False)
    state = models.CharField(max_length=16, choices=LogState.choices, default=LogState.CLAIMED)
    last_error = models.CharField("last error", max_length=64, blank=True, default="")
    #: Position of the newest delivery accepted for this row.
    last_position = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def wire_log_id(self) -> str | int:
        """The CRM's id in the vendor's own JSON type."""
        return int(self.crm_log_id) if self.crm_log_id_is_number else self.crm_log_id

    def belongs_to_another(self, log_id: str | int) -> bool:
        """Whether that record of the CRM is the one of another row: what looks like ours is not."""
        rows = type(self)._default_manager.filter(platform=self.platform, owner=self.owner, crm_log_id=str(log_id))
        return rows.exclude(pk=self.pk).exists()

    def move_to(self, state: LogState, *, error: str = "") -> None:
        """Sets the state, and the class of the error that led to it."""
        self.state, self.last_error = state, error[:64]
        self._save("state", "last_error")

    @property
    def is_logged(self) -> bool:
        return self.state == LogState.LOGGED

    @property
    def was_handed_back(self) -> bool:
        """Whether support handed the call back to the agent, and it was not logged since."""
        return self.last_error in (HANDED_BACK, HANDED_BACK_AND_TOLD)

    def tell_handed_back(self) -> bool:
        """Whether the agent has to be told that support handed the call back: once, whoever asks at the same time."""
        if self.last_error != HANDED_BACK:
            return False
        rows = type(self)._default_manager.filter(pk=self.pk, last_error=HANDED_BACK)
        return bool(rows.update(last_error=HANDED_BACK_AND_TOLD))

    @property
    def is_failed(self) -> bool:
        """Whether it is not in the CRM, and nothing is under way that would bring it there."""
        return self.state == LogState.FAILED

    @property
    def may_be_there(self) -> bool:
        """Whether an attempt of unknown outcome has to be looked for before anything is written."""
        return self.state == LogState.UNCERTAIN

    @property
    def state_when_claimed(self) -> LogState:
        return LogState.UNCERTAIN if self.may_be_there else LogState.CLAIMED

    def created(self, log_id: str | int, **held: uuid.UUID) -> None:
        """The record is in the CRM: its id is kept at once, whatever happens to steps that follow.

        ``held``: conditions under which the caller may still write, such as a lease that is its own.
        """
        if self.is_logged and self.crm_log_id == str(log_id) and not self.last_error:
            return
        id_columns = {"crm_log_id": str(log_id), "crm_log_id_is_number": isinstance(log_id, int)}
        values = {**id_columns, "state": LogState.LOGGED, "last_error": ""}
        self._store(values, **held)
        for name, value in values.items():  # not before: whoever tries again after an error must not find it done
            setattr(self, name, value)

    def forget_record(self) -> None:
        """The CRM no longer knows the record: it can be logged again."""
        self.crm_log_id, self.state, self.last_error = "", LogState.FAILED, GONE
        self._save("crm_log_id", "state", "last_error")

    def _save(self, *columns: str) -> None:
        self._store({name: getattr(self, name) for name in columns})

    def _store(self, values: dict[str, Any], **held: Any) -> None:
        change(type(self), {"pk": self.pk, **held}, {**values, "updated_at": timezone.now()})


class CallLog(OwnedLog):
    """One RingCentral session logged, or being logged, by one owner."""

    session_id = models.CharField(max_length=128)
    telephony_session_id = models.CharField(max_length=128, blank=True, default="")
    #: Hashed RingCentral extension id of the user who logged it, "" where none is known.
    extension = models.CharField(max_length=128, blank=True, default="")
    direction = models.CharField(max_length=16, blank=True, default="")
    started_at = models.DateTimeField(null=True)
    contact_id_is_number = models.BooleanField(default=False, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["platform", "owner", "session_id", "extension"], name="one_log_per_session")
        ]
        indexes = [
            models.Index(fields=["platform", "crm_log_id"], name="call_log_by_crm_id"),
            models.Index(fields=["state", "-created_at"], name="call_log_by_state"),
            models.Index(fields=["-created_at"], name="call_log_by_time"),
            models.Index(fields=["started_at"], name="call_log_by_start"),
            models.Index(fields=["user", "-created_at"], name="call_log_by_user"),
            models.Index(fields=["session_id"], name="call_log_by_session"),
            models.Index(
                fields=["telephony_session_id"], name="call_log_by_telephony", condition=~Q(telephony_session_id="")
            ),
            models.Index(fields=["crm_log_id"], name="call_log_by_record", condition=~Q(crm_log_id="")),
            models.Index(fields=["contact_id"], name="call_log_by_contact", condition=~Q(contact_id="")),
            models.Index(fields=["number_hash"], name="call_log_by_number", condition=~Q(number_hash="")),
            models.Index(fields=["number_ending"], name="call_log_by_ending", condition=~Q(number_ending="")),
        ]
        permissions = [("view_bodies", "Can read the text of notes and messages that are kept")]

    def __str__(self) -> str:
        return f"call {self.session_id}"

    def wire_contact_id(self) -> str | int:
        """The contact's id in the JSON type it came in: the client compares types too."""
        return int(self.contact_id) if self.contact_id_is_number else self.contact_id


def _logs_of(platform: str, owner: str, extension: str, *session_ids: str) -> models.QuerySet[CallLog]:
    own = Q(extension=extension) | Q(extension="")
    return CallLog.objects.filter(own, platform=platform, owner=owner, session_id__in=session_ids).order_by(
        "created_at"
    )


def _logs_of_anybody(platform: str, owner: str, *session_ids: str) -> models.QuerySet[CallLog]:
    return CallLog.objects.filter(platform=platform, owner=owner, session_id__in=session_ids).order_by("created_at")


_find_logs, _find_logs_of_anybody = PreparedQuery(_logs_of), PreparedQuery(_logs_of_anybody)


def call_logs_for(*, platform: str, owner: str, session_ids: list[str], extension: str) -> dict[str, CallLog]:
    """The owner's call logs by session id: those of this extension first, else those without an extension.

    Without an ``extension`` any log of the session counts, as for rows written by old clients.
    """
    found: dict[str, CallLog] = {}
    if extension:
        logs = _find_logs(platform, owner, extension, *session_ids)
    else:
        logs = _find_logs_of_anybody(platform, owner, *session_ids)
    for log in logs:
        known = found.get(log.session_id)
        if known is None or (log.extension == extension and known.extension != extension):
            found[log.session_id] = log
    return found


class ConversationLog(OwnedLog):
    """One conversation day of one owner: the row that serialises writes of its messages."""

    conversation_log_id = models.CharField(max_length=255)
    conversation_id = models.CharField(max_length=255, blank=True, default="")
    #: Which record of the day ``crm_log_id`` is: a full one is followed by another.
    part = models.PositiveSmallIntegerField(default=1, editable=False)
    #: CRM ids of the day's records before this one: full, or deleted there.
    earlier_ids = models.JSONField(default=list, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "owner", "conversation_log_id"], name="one_log_per_conversation_day"
            )
        ]
        indexes = [
            models.Index(fields=["platform", "crm_log_id"], name="conversation_by_crm_id"),
            models.Index(fields=["-created_at"], name="conversation_by_time"),
            models.Index(fields=["user", "-created_at"], name="conversation_by_user"),
            models.Index(fields=["conversation_log_id"], name="conversation_by_day"),
            models.Index(fields=["conversation_id"], name="conversation_by_id"),
            models.Index(fields=["crm_log_id"], name="conversation_by_record", condition=~Q(crm_log_id="")),
            models.Index(fields=["contact_id"], name="conversation_by_contact", condition=~Q(contact_id="")),
            models.Index(fields=["number_hash"], name="conversation_by_number", condition=~Q(number_hash="")),
            models.Index(fields=["number_ending"], name="conversation_by_ending", condition=~Q(number_ending="")),
        ]

    def __str__(self) -> str:
        return f"conversation {self.conversation_log_id}"

    @property
    def title_suffix(self) -> str:
        return f" ({self.part})" if self.part > 1 else ""

    @property
    def marker(self) -> str:
        """Identifies the day's present record in the CRM."""
        return self.conversation_log_id + self.title_suffix

    def belongs_to_another(self, log_id: str | int) -> bool:
        return str(log_id) in self.earlier_ids or super().belongs_to_another(log_id)

    def begin_record(self, *, next_part: bool, **held: Any) -> None:
        """The day goes on in a new record: the present one is full (``next_part``), or was deleted in the CRM."""
        self.earlier_ids, self.crm_log_id = [*self.earlier_ids, self.crm_log_id], ""
        self.part += next_part
        columns = {"earlier_ids": self.earlier_ids, "crm_log_id": "", "part": self.part, "updated_at": timezone.now()}
        with transaction.atomic():
            if ConversationLog.objects.filter(pk=self.pk, **held).update(**columns) and not next_part:
                self.messages.filter(delivery_id=None, part=self.part).update(part=_DELETED)

    def reopen(self) -> None:
        """Something new is to be written for a day whose earlier texts were refused."""
        rows = ConversationLog.objects.filter(pk=self.pk, state=LogState.FAILED)
        rows.update(state=LogState.QUEUED, updated_at=timezone.now())


class MessageLog(models.Model):
    """One message that is in the CRM, or on its way there."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.CharField(max_length=64)
    owner = models.CharField(max_length=255)
    #: RingCentral message id; for group messages ``<message id>-<contact id>``.
    message_id = models.CharField(max_length=255)
    conversation = models.ForeignKey(ConversationLog, on_delete=models.CASCADE, related_name="messages")
    #: Id of the delivery that brings it into the CRM; None: it is there.
    delivery_id = models.UUIDField(null=True, blank=True, editable=False)
    #: Which of the day's records holds it; 0: one that was deleted.
    part = models.PositiveSmallIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "owner", "message_id"], name="one_log_per_message")]
        indexes = [
            models.Index(fields=["-created_at"], name="message_log_by_time"),
            models.Index(fields=["delivery_id"], name="message_log_by_delivery", condition=~Q(delivery_id=None)),
            models.Index(fields=["message_id"], name="message_log_by_id"),
        ]

    def __str__(self) -> str:
        return f"message {self.message_id}"


class LogReason(models.Model):
    """What a CRM said when it did not take a log. It may quote names and notes, so it is encrypted.

    The event of the attempt names it by its id, see ``audit.reasons``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    call_log = models.ForeignKey(CallLog, null=True, on_delete=models.CASCADE, related_name="reasons")
    conversation = models.ForeignKey(ConversationLog, null=True, on_delete=models.CASCADE, related_name="reasons")
    text = EncryptedTextField()
    said_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["said_at"], name="reason_by_age")]

    def __str__(self) -> str:
        return f"reason of {self.said_at:%Y-%m-%d %H:%M:%S}"


class AppendOnly(models.QuerySet["AuditEvent"]):
    """Refuses what the database refuses too, with a clearer word."""

    def update(self, **values: Any) -> int:
        raise TypeError("audit events are never changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("audit events are never deleted")


class AuditEvent(models.Model):
    """One thing that was done or tried. Append-only: triggers in the database refuse UPDATE and DELETE."""

    occurred_at = models.DateTimeField(auto_now_add=True)
    request_id = models.CharField(max_length=64, blank=True, default="")
    #: ``user:<wire id>``, ``staff:<name>``, ``worker``, ``anonymous``.
    actor = models.CharField(max_length=255, blank=True, default="")
    #: ``call_log.create`` and the like.
    action = models.CharField(max_length=64)
    platform = models.CharField(max_length=64, blank=True, default="")
    owner = models.CharField(max_length=255, blank=True, default="")
    #: ``success`` or ``failure``.
    outcome = models.CharField(max_length=16)
    error = models.CharField(max_length=64, blank=True, default="")
    #: Session id, conversation-day id: our side of the record.
    subject = models.CharField(max_length=255, blank=True, default="")
    #: Id of the record in the CRM.
    target = models.CharField(max_length=255, blank=True, default="")
    milliseconds = models.PositiveIntegerField(default=0)
    crm_calls = models.PositiveIntegerField("CRM calls", default=0)
    #: Small and redacted: counts, reasons, flags. Never a name, number, note or token.
    detail = models.JSONField(default=dict, blank=True)

    objects = AppendOnly.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["-occurred_at"], name="event_by_time"),
            models.Index(fields=["subject"], name="event_by_subject"),
            models.Index(fields=["request_id"], name="event_by_request"),
            models.Index(fields=["actor", "-occurred_at"], name="event_by_actor"),
            models.Index(fields=["platform", "-occurred_at"], name="event_by_platform"),
            models.Index(fields=["platform", "-id"], name="event_by_failure", condition=Q(outcome="failure")),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.outcome}"

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("audit events are never deleted")


# The app's models are looked for here.
from audit.seals import AuditPruning, AuditSeal, TrafficHour  # noqa: E402, F401
