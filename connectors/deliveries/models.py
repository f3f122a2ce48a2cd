"""The changes that are accepted but not yet in a CRM, and what can become of one."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from adapters.contract import LogMarker, Message
from audit.durability import keep_trying, unflushed
from audit.fields import EncryptedTextField
from audit.models import CallLog, ConversationLog, MessageLog
from audit.prepared import PreparedQuery, PreparedUpdate, change, delete
from audit.states import LogState
from connectors.deliveries import clock
from connectors.deliveries.changes import stored
from connectors.deliveries.policy import Decision, Kind, Known
from connectors.deliveries.queue import DeliveryQuerySet, State
from connectors.deliveries.session_lock import SessionLock  # noqa: F401 - Django looks for models here
from connectors.models import CrmUser
from connectors.services.leases import lease_of, settling_time

_LONGEST_BACKOFF = 600.0  # seconds
_LONGEST_PAUSE = 24 * 3600.0  # seconds, whatever a CRM asks for: longer than any limit that is counted by the day
_LONGEST_AT_THE_PHONE = 900.0  # seconds for which a CRM's request to wait binds a user who asks again
_RESTORATION_READ_EVERY = 60.0  # seconds


class Delivery(models.Model):
    """A change accepted but not yet in the CRM; deleted when it is.

    Changes of one call or conversation are carried out in the order of ``position``, one at a time, by whoever holds
    the lease. All times are the database's, see ``clock``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(
        max_length=32,
        choices=[
            (Kind.CREATE, "log a call"),
            (Kind.EDIT, "edit a call log"),
            (Kind.DISPOSITION, "set a disposition"),
            (Kind.TEXTS, "log messages"),
            (Kind.REVOKE, "revoke a login"),
            (Kind.LOOK_AGAIN, "look for a second record"),
        ],
    )
    platform = models.CharField(max_length=64)
    #: Platform and host: what is down together.
    crm = models.CharField("CRM", max_length=320)
    #: Whose login it is sent with: a record in doubt is looked for among the records of the one who tried to write it.
    user = models.ForeignKey(CrmUser, on_delete=models.CASCADE, related_name="+")
    call_log = models.ForeignKey(CallLog, null=True, on_delete=models.CASCADE, related_name="deliveries")
    conversation = models.ForeignKey(ConversationLog, null=True, on_delete=models.CASCADE, related_name="deliveries")
    position = models.PositiveIntegerField(default=0)
    #: The change as JSON, see ``changes``.
    payload = EncryptedTextField()
    #: The request that brought it: the reference in the user's message.
    request_id = models.CharField("reference", max_length=64, blank=True, default="")
    accepted_at = models.DateTimeField(default=timezone.now)
    state = models.CharField("waits for", max_length=16, choices=State.choices, default=State.WAITING)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    #: Until then the CRM wants to be left alone, also by a user who asks again.
    hold_until = models.DateTimeField(default=timezone.now)
    #: Set while an attempt may have reached the CRM: from this moment on "not found" means that it has not.
    settles_at = models.DateTimeField("in doubt until", null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    #: Attempts in a row whose answer was not understood.
    odd_answers = models.PositiveSmallIntegerField(default=0)
    #: Class of the error that the last attempt ended with.
    last_error = models.CharField("last error", max_length=64, blank=True, default="")
    #: Why it waits, for support: the sentence of the decision.
    reason = models.CharField(max_length=200, blank=True, default="")
    #: Ids of the keys, and the version, under which the payload could not be read.
    unreadable_with = models.CharField(max_length=255, blank=True, default="", editable=False)
    lease = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    objects = DeliveryQuerySet.as_manager()

    #: Of the attempt under way, not stored: it may have reached the CRM; the doubt of earlier attempts that it does not
    #: settle; what is written again after a look that found nothing; whether it goes on in a new record of its day;
    #: the messages that its day's record lacks, None: not looked; characters of the body that was sent, and how many
    #: messages it holds; whether support had handed its call back.
    has_begun = False
    doubt_before: datetime | None = None
    rewrites: LogMarker | None = None
    begins_anew = False
    added: tuple[Message, ...] | None = None
    length = 0
    texts = 0
    was_handed_back = False

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["call_log", "position"], name="one_delivery_per_call_position"),
            models.UniqueConstraint(fields=["conversation", "position"], name="one_delivery_per_conversation_position"),
        ]
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="delivery_by_time"),
            models.Index(fields=["crm", "state"], name="delivery_by_crm"),
            models.Index(fields=["accepted_at"], name="delivery_by_age"),
            models.Index(fields=["request_id"], name="delivery_by_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()

    @property
    def record(self) -> CallLog | ConversationLog | None:
        """The row of the call or conversation day that this changes; None for a login."""
        return self.call_log or self.conversation

    @property
    def subject(self) -> str:
        """Session id or conversation-day id: our side of the record."""
        record = self.record
        return str(getattr(record, "session_id", "") or getattr(record, "conversation_log_id", ""))

    @property
    def is_in_doubt(self) -> bool:
        """Whether an attempt may have reached the CRM."""
        return self.settles_at is not None

    @property
    def is_settled(self) -> bool:
        """Whether "not found" would mean by now that no attempt has reached the CRM."""
        return self.settles_at is None or self.settles_at <= clock.now()

    @property
    def known(self) -> Known:
        record = self.record
        if record is not None and record.crm_log_id:
            return Known.THERE_DOUBT if self.is_in_doubt else Known.THERE
        # Texts of another change may have made the day's record, unless this attempt has looked for it in vain.
        others = self.kind == Kind.TEXTS and self.rewrites is None and record is not None and record.may_be_there
        return Known.DOUBT if self.is_in_doubt or others else Known.NOTHING

    @property
    def is_old(self) -> bool:
        """Whether it was accepted longer ago than DELIVERY_MAX_AGE_HOURS."""
        return self.accepted_at < clock.now() - timedelta(hours=settings.DELIVERY_MAX_AGE_HOURS)

    @property
    def has_its_login(self) -> bool:
        """Whether the user is connected to the CRM account that the record belongs to: they may have moved."""
        record = self.record
        return record is None or (self.user.is_connected and record.owner == self.user.owner)

    @property
    def seconds_on_hold(self) -> float:
        return max(0.0, (self.hold_until - clock.now()).total_seconds())

    @property
    def seconds_to_write(self) -> float:
        """How long the holder of the lease may still begin to write: what it sends must be over when the lease ends."""
        if self.lease_until is None:
            return 0.0
        return (self.lease_until - lease_of(self.platform) / 3 - clock.now()).total_seconds()

    def begin(self) -> bool:
        """From now on the CRM may have it. False when the lease was lost, or will be before a write could end.

        Until the attempt has an outcome it counts as in doubt, for the process may die at any line.
        """
        if self.lease_until is None:
            return False
        settles_at = self.lease_until + settling_time(self.platform)
        if not change(Delivery, {**self._held(), "lease_until__gt": clock.now()}, {"settles_at": settles_at}):
            return False
        # What a look has not found is settled; whether an edit or an append got through, only its success tells.
        self.doubt_before = None if self.rewrites else self.settles_at
        self.settles_at, self.has_begun = settles_at, True
        return True

    def keeps_id(self, log_id: str | int) -> None:
        """The record exists in the CRM: its id is kept at once, by the holder of the lease only.

        It does not wait for the disk, as the end of the attempt does: after a power cut before that the attempt is in
        doubt, as if it had happened before the CRM's answer.
        """
        record = self.record
        if record is not None and self.lease is not None:
            keep_trying(partial(_keep_id, record, log_id, self.lease))

    def adds(self, messages: Sequence[Message]) -> None:
        """Its day's record has been read, and lacks these."""
        self.added = tuple(messages)

    def finish(self, *, log_id: str | int | None = None, then: Callable[[], None] = lambda: None) -> bool:
        """The change is in the CRM. False when the lease was lost meanwhile: another process has the last word then.

        ``then`` is called in the same transaction.
        """
        with transaction.atomic():
            if not delete(Delivery, self._held()):
                return False
            if log_id is not None and self.record is not None:
                self.record.created(log_id)
            if self.kind in (Kind.EDIT, Kind.DISPOSITION):
                _overtake(self.call_log_id, self.kind, self.position)
            if self.conversation is not None:
                change(MessageLog, {"delivery_id": self.pk}, {"delivery_id": None, "part": self.conversation.part})
                if _texts_in_doubt(self.conversation.pk):  # they may be in the record, or not
                    self.conversation.move_to(LogState.UNCERTAIN)
            then()
        return True

    def release(self, decision: Decision, *, error: str, **columns: Any) -> bool:
        """Puts the change back, as decided. False when the lease was lost meanwhile."""
        with transaction.atomic():
            columns |= {"lease": None, "lease_until": None, "settles_at": self.settles_at, "last_error": error[:64]}
            columns |= {"odd_answers": self.odd_answers, "reason": decision.support[:200]}
            released = change(Delivery, self._held(), columns)
            if released:
                self._note(decision, error)
        return bool(released)

    def postpone(self, decision: Decision, *, error: str, seconds: float = 0.0, until_settled: bool = False) -> bool:
        """Sends it again after the back-off, and not within the ``seconds`` for which the CRM asked.

        ``until_settled``: nothing can be done before the attempt in doubt counts as settled. Otherwise the last of the
        growing pauses ends then: a record is looked for before, but written only if it is not there afterwards.
        """
        now = clock.now()
        pause = backoff(self.attempts)
        if self.settles_at and self.settles_at > now:
            settled = (self.settles_at - now).total_seconds()
            pause = settled if until_settled else min(pause, settled)
        return self.release(
            decision,
            error=error,
            state=State.WAITING,
            hold_until=now + timedelta(seconds=min(seconds, _LONGEST_AT_THE_PHONE)),
            next_attempt_at=now + timedelta(seconds=max(pause, min(seconds, _LONGEST_PAUSE))),
        )

    def park(self, decision: Decision, state: State, *, error: str, unreadable_with: str = "") -> bool:
        """Leaves it until the user connects again, or until support decides."""
        return self.release(
            decision, error=error, state=state, next_attempt_at=clock.now(), unreadable_with=unreadable_with
        )

    def drop(self, decision: Decision, *, error: str) -> bool:
        """Nothing of the change is kept. False when another process has taken it since."""
        with transaction.atomic():
            if not delete(Delivery, self._held()):
                return False
            MessageLog.objects.filter(delivery_id=self.pk).delete()
            self._note(decision, error)
        return True

    def keep_part(self, change: Any) -> bool:
        """Only this part of the change is left to it, in the caller's transaction. False when the lease was lost."""
        if not self._mine().select_for_update().exists():
            return False
        self.payload = stored(self.platform, change)
        self.save(update_fields=["payload"])
        return True

    def replace_change(self, change: Any) -> None:
        """Puts a newer version of the same change in its place; the caller holds the lease, or accepts it just now."""
        self.payload = stored(self.platform, change)
        self.accepted_at = clock.now()
        self.save(update_fields=["payload", "accepted_at"])

    def reopen(self) -> None:
        """Somebody asks for what nobody sends: a worker does, should the caller, who holds the lease, die."""
        self._mine().exclude(state=State.WAITING).update(state=State.WAITING)

    def hand_over(self, user: CrmUser) -> None:
        """Sends the change with the login of a colleague who asks for it, unless an attempt is in doubt.

        What may be in the CRM is looked for among the records of the one who tried. The caller holds the lease.
        """
        if self.user_id == user.pk or self.is_in_doubt:
            return
        self.user = user
        self.save(update_fields=["user"])
        if self.call_log is not None and self.kind == Kind.CREATE:
            CallLog.objects.filter(pk=self.call_log.pk).update(user=user)

    def _note(self, decision: Decision, error: str) -> None:
        record = self.record
        if record is None or decision.record is None:
            return
        if decision.forgets_record:
            if record.crm_log_id or not record.may_be_there:  # that nobody brings it does not settle a doubt
                record.forget_record()
        else:
            record.move_to(decision.record, error=error)

    def _mine(self) -> DeliveryQuerySet:
        return Delivery.objects.filter(**self._held())

    def _held(self) -> dict[str, Any]:
        """Which row it is, while the holder of the lease has it."""
        return {"pk": self.pk, "lease": self.lease}


def _keep_id(record: CallLog | ConversationLog, log_id: str | int, lease: uuid.UUID) -> None:
    with unflushed(is_single=True):
        record.created(log_id, deliveries__lease=lease)


def backoff(attempts: int) -> float:
    """Seconds before the next attempt: doubled each time up to ten minutes, with jitter of one half."""
    longest = min(settings.DELIVERY_RETRY_SECONDS * 2 ** min(max(attempts - 1, 0), 20), _LONGEST_BACKOFF)
    return float(longest * random.uniform(0.5, 1))  # noqa: S311 - spreads load, hides nothing


class Circuit(models.Model):
    """A CRM (platform and host) that failed to answer: while it is open only single probes are sent there."""

    crm = models.CharField("CRM", primary_key=True, max_length=320)
    failures = models.PositiveIntegerField(default=0)
    open_until = models.DateTimeField(null=True)
    since = models.DateTimeField("down since", null=True)

    def __str__(self) -> str:
        return self.crm


class Recovery(models.Model):
    """When a CRM (platform and host) that counted as down answered again, the last time."""

    crm = models.CharField("CRM", primary_key=True, max_length=320)
    up_since = models.DateTimeField()

    def __str__(self) -> str:
        return self.crm


class Restoration(models.Model):
    """The database was restored from a back-up: what happened before may be in the CRMs without a row here."""

    restored_at = models.DateTimeField()

    _read_at: ClassVar[float | None] = None
    _last: ClassVar[datetime | None] = None

    def __str__(self) -> str:
        return f"restored {self.restored_at}"

    @classmethod
    def read_anew(cls) -> None:
        """The next question reads the table."""
        cls._read_at = None

    @classmethod
    def covers(cls, moment: datetime | None) -> bool:
        """Whether something that began at ``moment`` (None: unknown) may have been logged and forgotten again.

        The last restoration is read once a minute: servers and workers start after it.
        """
        now = time.monotonic()
        if cls._read_at is None or now - cls._read_at > _RESTORATION_READ_EVERY:
            cls._last = next((restored.restored_at for restored in _last_restoration()), None)
            cls._read_at = now
        return cls._last is not None and (moment is None or moment <= cls._last)

    @classmethod
    def shows_by(cls, moment: datetime | None, platform: str) -> datetime | None:
        """By when the CRM shows what began at ``moment`` and was logged and forgotten again; None: nothing was.

        What was sent just before the database was restored may take effect afterwards.
        """
        if not cls.covers(moment) or cls._last is None:
            return None
        return cls._last + lease_of(platform) + settling_time(platform)


#: Error of an earlier change that could not be read when a newer one of the same kind was sent: it would undo that.
OVERTAKEN = "overtaken"
_OVERTAKEN = {
    "state": State.PERSON,
    "unreadable_with": "",
    "last_error": OVERTAKEN,
    "reason": "A newer change of the log was sent while this could not be read: look there, then send or give up.",
}
_overtake = PreparedUpdate(
    lambda log, kind, position: (
        Delivery.objects.filter(call_log=log, kind=kind, position__lt=position).exclude(unreadable_with=""),
        _OVERTAKEN,
    )
)
_texts_in_doubt = PreparedQuery(
    lambda day: Delivery.objects.filter(conversation=day, kind=Kind.TEXTS, settles_at__isnull=False).only("pk")[:1]
)
_last_restoration = PreparedQuery(lambda: Restoration.objects.order_by("-restored_at")[:1])
