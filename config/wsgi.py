"""The WSGI entry that the web server loads."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
application = get_wsgi_application()

from connectors.checks import refuse_if_unsafe  # noqa: E402 - needs the settings loaded above

refuse_if_unsafe()
