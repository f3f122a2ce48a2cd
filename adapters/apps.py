"""The adapter registry as a Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks


class AdaptersConfig(AppConfig):
    name = "adapters"

    def ready(self) -> None:
        from adapters.checks import check_adapters, check_configuration

        checks.register(check_adapters, "adapters")
        checks.register(check_configuration, "adapters")
