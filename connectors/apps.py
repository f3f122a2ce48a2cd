"""Who is connected, and the HTTP API of the extension."""

from __future__ import annotations

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"
    verbose_name = "Connected users"

    def ready(self) -> None:
        from connectors import checks  # noqa: F401 - registers them
