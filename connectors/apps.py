"""Who is connected, and the HTTP API of the extension."""

from __future__ import annotations

from django.apps import AppConfig


class ConnectorsConfig(AppConfig):
    name = "connectors"
    verbose_name = "Connected users"

    def ready(self) -> None:
        from adapters.contract import call_count, pacing, waiting
        from audit import recorder
        from connectors import checks  # noqa: F401 - registers them
        from connectors.observation import metrics
        from connectors.services.vendor_limits import SharedLimits

        recorder.tell(metrics.event_recorded)
        waiting.before_waiting(_give_back_connection)
        pacing.share_through(SharedLimits())
        call_count.tell(metrics.crm_request_ended)


def _give_back_connection() -> None:
    """Puts this thread's database connection back into the pool: others need it while this thread waits for a CRM."""
    from django.db import connection

    if connection.vendor == "postgresql" and connection.connection is not None and not connection.in_atomic_block:
        connection.close()
