"""Tables of the audit trail's seals: which events were sealed with what, which were removed after their time, and
what they counted.

Written by ``audit.sealing`` and ``audit.pruning`` only. Triggers in the database refuse every change of a seal or of a
mark of removal, see ``audit.append_only``.
"""

from __future__ import annotations

from django.db import models


class AuditSeal(models.Model):
    """A batch of events, sealed: the events ``first_id`` to ``last_id`` are these, and no others.

    The seals form a chain without gaps: ``first_id`` follows the ``last_id`` of the seal before.
    """

    first_id = models.BigIntegerField(unique=True)
    last_id = models.BigIntegerField(unique=True)
    events = models.PositiveIntegerField()
    #: ``occurred_at`` of the newest event.
    until = models.DateTimeField()
    #: From this moment on no event with an id of the range could be added. Seals made together have the same.
    closed_at = models.DateTimeField()
    #: 12 bytes for each event in order of ids: its id less ``first_id`` (4, big endian), the start of its SHA-256 (8).
    digests = models.BinaryField()
    #: SHA-256 over the seal before, the range, its times and ``digests``.
    chain = models.CharField(max_length=64)
    #: Which of CREDENTIAL_KEYS the HMAC was made with.
    key_id = models.CharField(max_length=64)
    #: HMAC-SHA256 of ``chain``.
    mac = models.CharField(max_length=64)

    class Meta:
        verbose_name = "seal"
        indexes = [models.Index(fields=["until"], name="seal_by_time")]

    def __str__(self) -> str:
        return f"events {self.first_id} to {self.last_id}"


class AuditPruning(models.Model):
    """A mark that the events up to ``last_id`` may go: their time of retention is over. Their seals stay."""

    last_id = models.BigIntegerField(unique=True)
    pruned_at = models.DateTimeField()
    key_id = models.CharField(max_length=64)
    #: HMAC-SHA256 of ``last_id`` and ``pruned_at``: a mark that somebody else made is found.
    mac = models.CharField(max_length=64)

    class Meta:
        verbose_name = "removal"

    def __str__(self) -> str:
        return f"up to event {self.last_id}"


class TrafficHour(models.Model):
    """What one CRM's events of one hour count; added up while they are sealed, so that each counts once."""

    hour = models.DateTimeField()
    platform = models.CharField(max_length=64)
    #: ``call_log.create`` and the like, see ``audit.traffic``.
    action = models.CharField(max_length=64)
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    #: How many took how long, of those that asked the CRM; the columns are the steps of ``audit.traffic.STEPS``.
    durations = models.JSONField(default=list)

    class Meta:
        verbose_name = "hour of traffic"
        verbose_name_plural = "hours of traffic"
        constraints = [
            models.UniqueConstraint(fields=["hour", "platform", "action"], name="one_row_per_hour_and_action")
        ]

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00} {self.platform} {self.action}"
