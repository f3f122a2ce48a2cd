"""The Celery application of the delivery worker: ``celery -A config.celery worker -B --pool threads``."""

from __future__ import annotations

from celery import Celery

from config.start import set_up

set_up()

from connectors.observation.metrics import WORKER  # noqa: E402 - needs the settings loaded above
from connectors.observation.start_line import started  # noqa: E402

started(WORKER)

app = Celery("switchboard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["connectors.deliveries"])
