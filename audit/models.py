"""What was logged for whom, under which id in the CRM, and an append-only trail of everything that was done."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from audit.fields import EncryptedTextField
from audit.prepared import PreparedQuery


class LogState(models.TextChoices):
    """claimed -> logged; claimed -> queued -> logged; claimed -> uncertain -> logged or failed; -> failed.

    Uncertain becomes failed only after a look into the CRM: what is given up before that stays uncertain.

    A claimed row whose delivery is not leased any more belongs to a process that died: it counts as uncertain.
    """

    CLAIMED = "claimed", "being written"
    QUEUED = "queued", "waiting for the CRM"
    UNCERTAIN = "uncertain", "may be in the CRM"
    LOGGED = "logged", "in the CRM"
    FAILED = "failed", "failed"


class OwnedLog(models.Model):
    """What call logs and conversation logs share: owner, state and the id of the record in the CRM.

    ``owner`` is ``account:<host>:<tenant>`` where the CRM itself reported a tenant at login (colleagues share it),
    else ``user:<uuid>``. Every look-up is scoped by platform and owner. Whoever holds the lease of the first delivery
    of a row is the only one to write its record in the CRM.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.CharField(max_length=64)
    owner = models.CharField(max_length=255)
    user = models.ForeignKey("connectors.CrmUser", null=True, on_delete=models.SET_NULL, related_name="+")
    crm_log_id = models.CharField("CRM id", max_length=255, blank=True, default="")
    #: Whether the vendor's id is a JSON number: the client gets it back in the same type.
    crm_log_id_is_number = models.BooleanField(default=False, editable=False)
    contact_id = models.CharField(max_length=255, blank=True, default="")
    contact_type = models.CharField(max_length=64, blank=True, default="")
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

    def created(self, log_id: str | int) -> None:
        """The record exists in the CRM: keep its id at once, whatever happens to later steps."""
        self.crm_log_id, self.crm_log_id_is_number = str(log_id), isinstance(log_id, int)
        self._save("crm_log_id", "crm_log_id_is_number")

    def complete(self, log_id: str | int) -> None:
        """The record is in the CRM and whole."""
        self.crm_log_id, self.crm_log_id_is_number = str(log_id), isinstance(log_id, int)
        self.state, self.last_error = LogState.LOGGED, ""
        self._save("crm_log_id", "crm_log_id_is_number", "state", "last_error")

    def _save(self, *columns: str) -> None:
        values = {name: getattr(self, name) for name in columns}
        type(self)._default_manager.filter(pk=self.pk).update(**values, updated_at=timezone.now())


class CallLog(OwnedLog):
    """One RingCentral session logged, or being logged, by one owner."""

    session_id = models.CharField(max_length=128)
    telephony_session_id = models.CharField(max_length=128, blank=True, default="")
    #: Hashed RingCentral extension id, else the extension number, else "".
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
        ]

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

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["platform", "owner", "conversation_log_id"], name="one_log_per_conversation_day"
            )
        ]
        indexes = [
            models.Index(fields=["platform", "crm_log_id"], name="conversation_by_crm_id"),
            models.Index(fields=["-created_at"], name="conversation_by_time"),
        ]

    def __str__(self) -> str:
        return f"conversation {self.conversation_log_id}"


class MessageLog(models.Model):
    """One message that is in the CRM, or on its way there."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.CharField(max_length=64)
    owner = models.CharField(max_length=255)
    #: RingCentral message id; for group messages ``<message id>-<contact id>``.
    message_id = models.CharField(max_length=255)
    conversation = models.ForeignKey(ConversationLog, on_delete=models.CASCADE, related_name="messages")
    #: What brings it into the CRM; None: it is there.
    delivery = models.ForeignKey(
        "audit.Delivery", null=True, blank=True, on_delete=models.DO_NOTHING, related_name="messages"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "owner", "message_id"], name="one_log_per_message")]
        indexes = [models.Index(fields=["-created_at"], name="message_log_by_time")]

    def __str__(self) -> str:
        return f"message {self.message_id}"


class DeliveryKind(models.TextChoices):
    """What is to be done in the CRM; the value is also the action of its audit events."""

    CREATE_CALL_LOG = "call_log.create", "log a call"
    UPDATE_CALL_LOG = "call_log.update", "edit a call log"
    SET_DISPOSITION = "call_log.disposition", "set a disposition"
    WRITE_MESSAGES = "message_log.write", "log messages"
    REVOKE_SESSION = "session.revoke", "revoke a login"


class WaitsFor(models.TextChoices):
    """What a delivery waits for besides its time."""

    NOTHING = "", "its turn"
    LOGIN = "login", "the user's next login"
    PERSON = "person", "a decision of support"


class Delivery(models.Model):
    """A change accepted but not yet in the CRM; deleted when it is.

    Deliveries of one call or conversation are carried out in the order of ``position``, one at a time: a worker takes
    the lease of the first. A lease that runs out belongs to a process that died in mid-write.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32, choices=DeliveryKind.choices)
    platform = models.CharField(max_length=64)
    #: Platform and host: what is down together.
    crm = models.CharField("CRM", max_length=320)
    user = models.ForeignKey("connectors.CrmUser", on_delete=models.CASCADE, related_name="+")
    call_log = models.ForeignKey(CallLog, null=True, on_delete=models.CASCADE, related_name="deliveries")
    conversation = models.ForeignKey(ConversationLog, null=True, on_delete=models.CASCADE, related_name="deliveries")
    position = models.PositiveIntegerField(default=0)
    #: The change as JSON, see ``connectors.services.delivery_payloads``.
    payload = EncryptedTextField()
    accepted_at = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    #: Nobody may try before, not even for a user who asks again: the CRM said so, or would not show a record yet.
    not_before = models.DateTimeField(default=timezone.now)
    waits_for = models.CharField(max_length=16, choices=WaitsFor.choices, blank=True, default=WaitsFor.NOTHING)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField("last error", max_length=64, blank=True, default="")
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["call_log", "position"], name="one_delivery_per_call_position"),
            models.UniqueConstraint(fields=["conversation", "position"], name="one_delivery_per_conversation_position"),
        ]
        indexes = [
            models.Index(fields=["waits_for", "next_attempt_at"], name="delivery_by_time"),
            models.Index(fields=["accepted_at"], name="delivery_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.position}"

    @property
    def subject(self) -> str:
        """Session id or conversation-day id: our side of the record."""
        log = self.call_log or self.conversation
        return str(getattr(log, "session_id", "") or getattr(log, "conversation_log_id", ""))


class Circuit(models.Model):
    """A CRM (platform and host) that failed to answer: while it is open only single probes are sent there."""

    crm = models.CharField("CRM", primary_key=True, max_length=320)
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.crm


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
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.outcome}"

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("audit events are never deleted")
