"""What was logged for whom, under which id in the CRM, and an append-only trail of everything that was done."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, models, transaction
from django.db.models import Q


class LogState(models.TextChoices):
    """claimed -> logged; claimed -> queued -> logged; claimed -> uncertain -> logged or failed; -> failed."""

    CLAIMED = "claimed", "being written"
    QUEUED = "queued", "waiting for the CRM"
    UNCERTAIN = "uncertain", "may be in the CRM"
    LOGGED = "logged", "in the CRM"
    FAILED = "failed", "failed"


class OwnedLog(models.Model):
    """What call logs and conversation logs share: owner, state and the id of the record in the CRM.

    ``owner`` is ``account:<host>:<tenant>`` where the CRM itself reported a tenant at login (colleagues share it),
    else ``user:<uuid>``. Every look-up is scoped by platform and owner.
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
    attempts = models.PositiveIntegerField(default=1)
    last_error = models.CharField("last error", max_length=64, blank=True, default="")
    claimed_at = models.DateTimeField()
    #: Names the attempt that holds the claim: a process that was overtaken cannot complete another's attempt.
    claim = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    #: Set on a row claimed after an attempt of unknown outcome: it is looked for in the CRM first.
    was_uncertain = False

    class Meta:
        abstract = True

    def wire_log_id(self) -> str | int:
        """The CRM's id in the vendor's own JSON type."""
        return int(self.crm_log_id) if self.crm_log_id_is_number else self.crm_log_id

    def _mine(self) -> models.QuerySet[Any]:
        return type(self)._default_manager.filter(pk=self.pk, claim=self.claim)

    def created(self, log_id: str | int) -> None:
        """The record exists in the CRM: keep its id at once, whatever happens to later steps."""
        self.crm_log_id, self.crm_log_id_is_number = str(log_id), isinstance(log_id, int)
        self._mine().update(crm_log_id=self.crm_log_id, crm_log_id_is_number=self.crm_log_id_is_number)

    def complete(self, log_id: str | int) -> None:
        """The record is in the CRM and whole."""
        self.created(log_id)
        self.state, self.last_error = LogState.LOGGED, ""
        self._mine().update(state=LogState.LOGGED, last_error="")

    def give_up(self, *, error: str, maybe_applied: bool) -> None:
        """The attempt ended in an error: uncertain if the CRM may hold the record, else free for another attempt.

        A record whose id was reported before the error is there: it counts as logged.
        """
        if self.crm_log_id:
            self.state = LogState.LOGGED
        else:
            self.state = LogState.UNCERTAIN if maybe_applied else LogState.FAILED
        self.last_error = error
        self._mine().update(state=self.state, last_error=error)


class ClaimingManager(models.Manager[Any]):
    """Claims a row before the CRM is called: one short transaction, a unique key, no lock held afterwards."""

    def claim(self, *, now: datetime, lifetime: timedelta, key: dict[str, Any], values: dict[str, Any]) -> Any:
        """The row, claimed for this attempt; None when it is logged or in somebody else's hands.

        ``key``: the unique columns. A failed row is claimed again; a claim older than ``lifetime`` belongs to a process
        that died in mid-write and becomes uncertain, never another attempt.
        """
        try:
            with transaction.atomic():
                return self.create(**key, **values, claimed_at=now)
        except IntegrityError:
            pass
        self.filter(**key, state=LogState.CLAIMED, claimed_at__lt=now - lifetime).update(
            state=LogState.UNCERTAIN, last_error="process ended"
        )
        token = uuid.uuid4()
        again = self.filter(**key, state=LogState.FAILED).update(
            **values,
            state=LogState.CLAIMED,
            claimed_at=now,
            claim=token,
            attempts=models.F("attempts") + 1,
        )
        return self.get(**key, claim=token) if again else None

    def claim_uncertain(self, *, pk: uuid.UUID, now: datetime) -> Any:
        """The uncertain row, claimed so that one attempt alone looks for it in the CRM; None when another was first."""
        token = uuid.uuid4()
        taken = self.filter(pk=pk, state=LogState.UNCERTAIN).update(
            state=LogState.CLAIMED, claimed_at=now, claim=token, attempts=models.F("attempts") + 1
        )
        if not taken:
            return None
        row = self.get(pk=pk, claim=token)
        row.was_uncertain = True
        return row


class CallLog(OwnedLog):
    """One RingCentral session logged, or being logged, by one owner."""

    session_id = models.CharField(max_length=128)
    telephony_session_id = models.CharField(max_length=128, blank=True, default="")
    #: Hashed RingCentral extension id, else the extension number, else "".
    extension = models.CharField(max_length=128, blank=True, default="")
    direction = models.CharField(max_length=16, blank=True, default="")
    started_at = models.DateTimeField(null=True)

    objects = ClaimingManager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["platform", "owner", "session_id", "extension"], name="one_log_per_session")
        ]
        indexes = [
            models.Index(fields=["platform", "crm_log_id"], name="call_log_by_crm_id"),
            models.Index(fields=["state", "claimed_at"], name="call_log_by_state"),
            models.Index(fields=["-created_at"], name="call_log_by_time"),
        ]

    def __str__(self) -> str:
        return f"call {self.session_id}"


def call_logs_for(*, platform: str, owner: str, session_ids: list[str], extension: str) -> dict[str, CallLog]:
    """The owner's call logs by session id: those of this extension first, else those without an extension.

    Without an ``extension`` any log of the session counts, as for rows written by old clients.
    """
    found: dict[str, CallLog] = {}
    query = CallLog.objects.filter(platform=platform, owner=owner, session_id__in=session_ids)
    if extension:
        query = query.filter(Q(extension=extension) | Q(extension=""))
    for log in query.order_by("created_at"):
        known = found.get(log.session_id)
        if known is None or (log.extension == extension and known.extension != extension):
            found[log.session_id] = log
    return found


class ConversationLog(OwnedLog):
    """One conversation day of one owner: the row that serialises writes of its messages."""

    conversation_log_id = models.CharField(max_length=255)
    conversation_id = models.CharField(max_length=255, blank=True, default="")

    objects = ClaimingManager()

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

    def take(self, *, now: datetime, lifetime: timedelta) -> bool:
        """Claims a logged conversation for an update; False while another update holds it."""
        token = uuid.uuid4()
        taken = (
            ConversationLog.objects.filter(pk=self.pk)
            .filter(
                Q(state=LogState.LOGGED) | Q(state=LogState.CLAIMED, claimed_at__lt=now - lifetime, crm_log_id__gt="")
            )
            .update(state=LogState.CLAIMED, claimed_at=now, claim=token, attempts=models.F("attempts") + 1)
        )
        if taken:
            self.refresh_from_db()
        return bool(taken)


class MessageLog(models.Model):
    """One message that is in the CRM."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.CharField(max_length=64)
    owner = models.CharField(max_length=255)
    #: RingCentral message id; for group messages ``<message id>-<contact id>``.
    message_id = models.CharField(max_length=255)
    conversation = models.ForeignKey(ConversationLog, on_delete=models.CASCADE, related_name="messages")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "owner", "message_id"], name="one_log_per_message")]
        indexes = [models.Index(fields=["-created_at"], name="message_log_by_time")]

    def __str__(self) -> str:
        return f"message {self.message_id}"


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
