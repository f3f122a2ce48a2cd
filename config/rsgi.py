"""What ``manage.py serve`` loads; ``config.wsgi`` is for other web servers."""

from __future__ import annotations

from django.conf import settings

from config.wsgi import application as wsgi_application
from connectors.front.application import Front

application = Front(wsgi_application, threads=settings.WEB_THREADS, patience=settings.WEB_QUEUE_SECONDS)
