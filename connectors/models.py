"""Connected CRM users, account settings, and two short-lived stores: look-ups and note drafts."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q

from adapters.contract import Credentials, Id, UserProfile
from audit.fields import EncryptedTextField

#: Tokens count as expired this long before they are.
EXPIRY_MARGIN = timedelta(minutes=2)


class CrmUser(models.Model):
    """One connected CRM user. On the wire ``<crm id>-<platform>``; the same number on two hosts is two people."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    platform = models.CharField(max_length=64)
    wire_id = models.CharField("user", max_length=255)
    #: Part of the identity only where the manifest says so, else "".
    identity_host = models.CharField(max_length=255, blank=True, default="")
    crm_user_id = models.CharField("CRM user id", max_length=255)
    crm_user_id_is_number = models.BooleanField(default=False, editable=False)
    name = models.CharField(max_length=255, blank=True, default="")
    host = models.CharField(max_length=255, blank=True, default="")
    timezone = models.CharField(max_length=64, blank=True, default="")
    email = models.CharField(max_length=255, blank=True, default="")
    crm_account_id = models.CharField("CRM account", max_length=255, blank=True, default="")
    rc_account_id = models.CharField("RingCentral account", max_length=128, blank=True, default="")
    rc_account_verified = models.BooleanField(default=False)
    #: As the extension claims it, where nothing else names the account: opens settings, never a secret.
    claimed_rc_account_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    hashed_rc_extension_id = models.CharField(max_length=128, blank=True, default="")
    access_token = EncryptedTextField(blank=True, default="")
    refresh_token = EncryptedTextField(blank=True, default="")
    #: Further secret values of the login, as JSON.
    secret_extra = EncryptedTextField(blank=True, default="")
    token_expires_at = models.DateTimeField(null=True, blank=True)
    refresh_lease = models.UUIDField(null=True, editable=False)
    refresh_lease_until = models.DateTimeField(null=True, editable=False)
    extra = models.JSONField(default=dict, blank=True)
    settings = models.JSONField(default=dict, blank=True)
    session_epoch = models.PositiveIntegerField(default=0)
    connected_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=64, blank=True, default="")
    last_error_at = models.DateTimeField(null=True, blank=True)
    #: When the login was renewed last; and the error of a renewal since then that the CRM did not answer.
    refreshed_at = models.DateTimeField("renewed", null=True, blank=True)
    refresh_error = models.CharField(max_length=64, blank=True, default="", db_default="")
    refresh_failed_at = models.DateTimeField(null=True, blank=True)
    #: Taken over from another server, which did not know the tenant: the next login tells.
    tenant_is_unknown = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = "connected user"
        constraints = [
            models.UniqueConstraint(fields=["platform", "wire_id", "identity_host"], name="one_row_per_crm_user")
        ]
        indexes = [
            models.Index(fields=["platform", "crm_account_id"], name="user_by_account"),
            models.Index(fields=["hashed_rc_extension_id"], name="user_by_extension"),
            models.Index(fields=["-last_seen_at"], name="user_by_last_seen"),
        ]

    def __str__(self) -> str:
        return self.wire_id

    @property
    def is_connected(self) -> bool:
        return bool(self.__dict__.get("access_token"))

    @property
    def owner(self) -> str:
        """The scope logs belong to: the tenant the CRM reported, else this user alone."""
        if self.crm_account_id:
            return f"account:{self.identity_host}:{self.crm_account_id}"
        return f"user:{self.pk}"

    @property
    def crm(self) -> str:
        """The CRM behind the login, as one name: what one user finds out about it counts for all."""
        return f"{self.platform}:{self.host}"[:320]

    @property
    def actor(self) -> str:
        return f"user:{self.wire_id}"

    @staticmethod
    def facts_of(profile: UserProfile) -> dict[str, Any]:
        """The columns that tell of the person, cut to what they hold: PostgreSQL refuses a longer text."""
        return {
            "name": profile.name[:255],
            "timezone": profile.timezone[:64],
            "email": profile.email[:255],
            "extra": dict(profile.extra),
        }

    def profile(self) -> UserProfile:
        crm_user_id: Id = int(self.crm_user_id) if self.crm_user_id_is_number else self.crm_user_id
        return UserProfile(
            id=crm_user_id,
            name=self.name,
            timezone=self.timezone,
            hostname=self.host,
            account_id=self.crm_account_id,
            email=self.email,
            extra=self.extra,
        )

    def credentials(self) -> Credentials:
        """Raises ``Undecipherable`` when the keys do not fit."""
        stored = json.loads(self.secret_extra or "{}")
        return Credentials(
            access_token=self.access_token,
            refresh_token=self.refresh_token,
            expires_at=self.token_expires_at,
            hostname=stored.get("hostname", ""),
            extra=stored.get("extra", {}),
        )

    def set_credentials(self, credentials: Credentials) -> dict[str, Any]:
        """Puts credentials into the row without saving; returns the columns for a conditional ``update()``."""
        texts = {
            "access_token": credentials.access_token,
            "refresh_token": credentials.refresh_token,
            "secret_extra": json.dumps({"hostname": credentials.hostname, "extra": dict(credentials.extra)})
            if credentials.access_token
            else "",
        }
        columns: dict[str, Any] = {"token_expires_at": credentials.expires_at}
        for name, text in texts.items():
            field = self._meta.get_field(name)
            assert isinstance(field, EncryptedTextField)
            columns[name] = field.seal(self, text)
        for name, value in columns.items():
            setattr(self, name, value)
        return columns

    def needs_refresh(self, now: datetime) -> bool:
        return self.token_expires_at is not None and self.token_expires_at - EXPIRY_MARGIN <= now

    def take_refresh_lease(self, *, now: datetime, lifetime: timedelta) -> uuid.UUID | None:
        """The right to refresh, for one process at a time; None while another holds it."""
        lease = uuid.uuid4()
        taken = (
            CrmUser.objects.filter(pk=self.pk)
            .filter(Q(refresh_lease_until=None) | Q(refresh_lease_until__lt=now))
            .update(refresh_lease=lease, refresh_lease_until=now + lifetime)
        )
        return lease if taken else None


class AccountSettings(models.Model):
    """Settings an administrator made for a RingCentral account; the key is the hashed account id."""

    hashed_account_id = models.CharField(primary_key=True, max_length=64)
    settings = models.JSONField(default=dict, blank=True)
    user_mappings = models.JSONField(default=list, blank=True)
    custom_adapter = models.JSONField(null=True, blank=True)
    #: Raised with every change: a writer that read an older one merges again.
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "account settings"

    def __str__(self) -> str:
        return self.hashed_account_id[:12]


class ShownSettings(models.Model):
    """What a window of the user was shown a moment ago: it sends all of it back, with its changes in it."""

    user = models.ForeignKey(CrmUser, on_delete=models.CASCADE, related_name="+")
    shown = models.JSONField()
    #: The user's own settings at that time.
    own = models.JSONField()
    shown_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["user", "-shown_at"], name="shown_by_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.shown_at:%H:%M:%S}"


class ContactMatch(models.Model):
    """A look-up's result, kept briefly for one user; never shared, since users may see different records."""

    user = models.ForeignKey(CrmUser, on_delete=models.CASCADE, related_name="+")
    #: SHA-256 of number, formats and extension flag: no phone number stands in a key.
    key = models.CharField(max_length=64)
    result = models.JSONField()
    fetched_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="one_match_per_number")]
        indexes = [models.Index(fields=["fetched_at"], name="match_by_age")]

    def __str__(self) -> str:
        return self.key[:12]


class LookUp(models.Model):
    """One look-up of a number that a CRM was asked for: why a contact was found, or was not.

    Kept for ``settings.LOOK_UP_TRACES``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(CrmUser, on_delete=models.CASCADE, related_name="look_ups")
    asked_at = models.DateTimeField(auto_now_add=True)
    request_id = models.CharField("reference", max_length=64, blank=True, default="")
    #: See ``audit.numbers``.
    number_hash = models.CharField(max_length=64, blank=True, default="")
    number_ending = models.CharField(max_length=4, blank=True, default="")
    #: How many contacts were shown; None: there was no answer.
    found = models.PositiveSmallIntegerField(null=True)
    #: Forms tried, contacts shown, hits dropped, the error: JSON, see ``services.look_up_traces``.
    trace = EncryptedTextField()

    class Meta:
        indexes = [
            models.Index(fields=["asked_at"], name="look_up_by_age"),
            models.Index(fields=["user", "-asked_at"], name="look_up_by_user"),
            models.Index(fields=["number_hash"], name="look_up_by_number"),
            models.Index(fields=["number_ending"], name="look_up_by_ending"),
            models.Index(fields=["request_id"], name="look_up_by_reference"),
        ]

    def __str__(self) -> str:
        return f"look-up of …{self.number_ending}"


class ContactCreation(models.Model):
    """A contact being created, or just created: the same request again gets the same contact."""

    class State(models.TextChoices):
        CLAIMED = "claimed", "being created"
        CREATED = "created", "created"
        UNCERTAIN = "uncertain", "may be in the CRM"

    platform = models.CharField(max_length=64)
    owner = models.CharField(max_length=255)
    #: SHA-256 of number, name and type: neither stands here in clear.
    key = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.CLAIMED)
    result = models.JSONField(null=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "owner", "key"], name="one_creation_per_contact")]
        indexes = [models.Index(fields=["changed_at"], name="creation_by_age")]

    def __str__(self) -> str:
        return self.key[:12]


class PlaceholderContact(models.Model):
    """A contact made for a number that nobody knew, named after that number: somebody has to name it in the CRM.

    Removed when a look-up shows it with another name, or when support says that it has one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(CrmUser, on_delete=models.CASCADE, related_name="+")
    platform = models.CharField(max_length=64)
    owner = models.CharField(max_length=255)
    contact_id = models.CharField(max_length=255)
    contact_type = models.CharField(max_length=64, blank=True, default="")
    #: See ``audit.numbers``.
    number_hash = models.CharField(max_length=64, blank=True, default="")
    number_ending = models.CharField(max_length=4, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["platform", "owner", "contact_id"], name="one_row_per_placeholder")
        ]
        indexes = [
            models.Index(fields=["-created_at"], name="placeholder_by_time"),
            models.Index(fields=["number_hash"], name="placeholder_by_number"),
        ]

    def __str__(self) -> str:
        return f"contact {self.contact_id}"


class NoteDraft(models.Model):
    """A note taken during a call, before its log exists."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(CrmUser, on_delete=models.CASCADE, related_name="+")
    session_id = models.CharField(max_length=128)
    note = EncryptedTextField()
    expires_at = models.DateTimeField()
    #: Of a call that support handed back: taken by whatever logs it next without a note.
    is_handed_back = models.BooleanField(default=False, db_default=False, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "session_id"], name="one_draft_per_session")]

    def __str__(self) -> str:
        return self.session_id


class CallDownEntry(models.Model):
    """Somebody a user wants to call, from their own list; who and why is encrypted."""

    class Status(models.TextChoices):
        SCHEDULED = "scheduled", "scheduled"
        NOT_CALLED = "not called", "not called"
        CALLED = "called", "called"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(CrmUser, on_delete=models.CASCADE, related_name="+")
    contact_id = models.CharField(max_length=255, blank=True, default="")
    contact_id_is_number = models.BooleanField(default=False)
    contact_type = models.CharField(max_length=255, blank=True, default="")
    contact_name = EncryptedTextField(blank=True, default="")
    phone_number = EncryptedTextField(blank=True, default="")
    note = EncryptedTextField(blank=True, default="")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.NOT_CALLED)
    scheduled_at = models.DateTimeField(null=True)
    last_call_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "scheduled_at"], name="call_down_by_user"),
            models.Index(fields=["updated_at"], name="call_down_by_age"),
        ]

    def __str__(self) -> str:
        return self.id.hex


class RingCentralLogin(models.Model):
    """The RingCentral login of an administrator, for reports. Their own: no colleague's request uses it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    #: None: the user was removed, and the tokens are still to be revoked.
    user = models.ForeignKey(CrmUser, on_delete=models.SET_NULL, null=True, related_name="+")
    account_id = models.CharField("RingCentral account", max_length=128)
    access_token = EncryptedTextField()
    refresh_token = EncryptedTextField(blank=True, default="")
    token_expires_at = models.DateTimeField(null=True)
    refresh_lease = models.UUIDField(null=True, editable=False)
    refresh_lease_until = models.DateTimeField(null=True, editable=False)
    #: Set when nobody may use it any more; the row goes when RingCentral has revoked it.
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=Q(ended_at=None), name="one_ringcentral_login_per_user")
        ]

    def __str__(self) -> str:
        return self.account_id

    def columns_of(self, credentials: Credentials) -> dict[str, Any]:
        """The columns that hold new tokens, sealed for this row, for a conditional ``update()``."""
        columns: dict[str, Any] = {"token_expires_at": credentials.expires_at}
        for name in ("access_token", "refresh_token"):
            field = self._meta.get_field(name)
            assert isinstance(field, EncryptedTextField)
            columns[name] = field.seal(self, getattr(credentials, name))
        return columns

    def needs_refresh(self, now: datetime) -> bool:
        return self.token_expires_at is not None and self.token_expires_at - EXPIRY_MARGIN <= now


class RequestCount(models.Model):
    """How many requests a caller made in one window of time; only where no Redis counts them.

    And what processes tell each other of vendors' limits: starts, pauses, places of requests in flight.
    """

    #: ``throttle:<scope>:<window>:<hash of the caller>``; ``pace:``, ``closed:`` and ``place:`` of ``vendor_limits``.
    key = models.CharField(primary_key=True, max_length=96)
    hits = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["ends_at"], name="request_count_by_end")]

    def __str__(self) -> str:
        return self.key
