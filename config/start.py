"""How every process starts: settings first, and a mistake in them ends it with a sentence and exit status 1."""

from __future__ import annotations

import gc
import os
import sys

import django
from django.core.exceptions import ImproperlyConfigured

#: New objects after which Python looks for garbage, and how seldom it looks among older ones. With its own numbers it
#: does so 290 times while everything is imported, which takes a seventh of the time of a start.
_COLLECT = (50_000, 20, 50)


def load_settings() -> None:
    """Reads the settings."""
    gc.set_threshold(*_COLLECT)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings

    try:
        settings.INSTALLED_APPS  # noqa: B018 - read on first use
    except ImproperlyConfigured as error:
        sys.exit(str(error))


def set_up() -> None:
    """Makes Django ready to serve; refuses settings that would be unsafe."""
    load_settings()
    django.setup(set_prefix=False)
    from connectors.checks import refuse_if_unsafe

    try:
        refuse_if_unsafe()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    gc.freeze()  # what is here now stays: no request shall look through it for garbage
