"""Who is connected, and the HTTP API of the extension."""

from __future__ import annotations

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"
    verbose_name = "Connected users"

    def ready(self) -> None:
        from adapters.contract import call_count
        from audit import recorder
        from connectors import checks  # noqa: F401 - registers them
        from connectors.observation import metrics

        recorder.tell(metrics.event_recorded)
        call_count.tell(metrics.crm_request_ended)
