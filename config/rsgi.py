"""What ``manage.py serve`` loads; ``config.wsgi`` is for other web servers."""

from __future__ import annotations

from django.conf import settings

from config.wsgi import application as wsgi_application
from connectors.deliveries.worker import deliver_beside
from connectors.front.application import Front

application = Front(
    wsgi_application,
    threads=settings.WEB_THREADS,
    patience=settings.WEB_QUEUE_SECONDS,
    when_stopped=deliver_beside() if settings.WEB_DELIVERS else lambda: None,
)
