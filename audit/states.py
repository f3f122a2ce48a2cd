"""The states of a log: shared by the rows, and by whoever decides what becomes of a change."""

from __future__ import annotations

from django.db.models import TextChoices


class LogState(TextChoices):
    """claimed -> logged; claimed -> queued -> logged; claimed -> uncertain -> logged or failed; -> failed.

    ``failed`` with the error "gone": the record was in the CRM and has been deleted there; it can be logged again.
    """

    CLAIMED = "claimed", "being written"
    QUEUED = "queued", "waiting for the CRM"
    UNCERTAIN = "uncertain", "may be in the CRM"
    LOGGED = "logged", "in the CRM"
    FAILED = "failed", "failed"
