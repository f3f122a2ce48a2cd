"""The WSGI entry that the web server loads."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

from connectors.api.application import Application  # noqa: E402 - needs the settings loaded above
from connectors.checks import refuse_if_unsafe  # noqa: E402

application = Application()
refuse_if_unsafe()
