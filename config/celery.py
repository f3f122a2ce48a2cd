"""The Celery application of the delivery worker: ``celery -A config.celery worker -B --pool threads``."""

from __future__ import annotations

import os

import django
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from connectors.checks import refuse_if_unsafe  # noqa: E402 - needs the settings loaded above

refuse_if_unsafe()

app = Celery("switchboard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["connectors"])
