"""Keeps requests for one session apart before any of them has a row."""

from __future__ import annotations

from django.db import models

from audit.prepared import insert
from connectors.deliveries import clock
from connectors.models import CrmUser


class SessionLock(models.Model):
    """Serialises requests that log one RingCentral session of one owner, before any of them has a row."""

    platform = models.CharField(max_length=64)
    owner = models.CharField(max_length=255)
    session_id = models.CharField(max_length=128)
    taken_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["platform", "owner", "session_id"], name="one_lock_per_session")]
        indexes = [models.Index(fields=["taken_at"], name="session_lock_by_age")]

    def __str__(self) -> str:
        return self.session_id

    @classmethod
    def take(cls, user: CrmUser, session_id: str) -> None:
        """Waits for others in this session, and keeps them out until the transaction ends."""
        lock = cls(platform=user.platform, owner=user.owner, session_id=session_id, taken_at=clock.now())
        insert(lock, or_update=("taken_at",), where=("platform", "owner", "session_id"))
