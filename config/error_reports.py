"""Sends unexpected errors to Sentry, where ``SENTRY_DSN`` names a project: type and place, and nothing of anybody's."""

from __future__ import annotations

import logging
from typing import Any

from config.logs import scrub

#: Members of an event that say nothing of a person, a call or a login.
_KEPT = ("event_id", "timestamp", "platform", "level", "logger", "release", "sdk")
_FRAME = ("filename", "function", "module", "lineno", "in_app", "context_line", "pre_context", "post_context")


def start(dsn: str, *, release: str) -> None:
    """Errors that are logged, and those that end the process or a thread, are sent from now on, in the background."""
    import sentry_sdk  # only who uses it waits for it
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration
    from sentry_sdk.integrations.logging import LoggingIntegration
    from sentry_sdk.integrations.threading import ThreadingIntegration

    sentry_sdk.init(
        dsn=dsn,
        release=f"switchboard@{release}",
        default_integrations=False,  # they read requests, queries and arguments
        integrations=[
            LoggingIntegration(level=None, event_level=logging.ERROR),
            ExcepthookIntegration(),
            ThreadingIntegration(),
            DedupeIntegration(),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        send_default_pii=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        before_send=without_texts,
    )


def without_texts(event: Any, hint: Any) -> Any:
    """The event with the exceptions' types and places, and the log line's unfilled text.

    What an exception says is left out, as in the log: it may repeat a name, a number, a row's values or a token.
    """
    kept = {name: event[name] for name in _KEPT if name in event}
    if template := (event.get("logentry") or {}).get("message"):
        kept["logentry"] = {"message": scrub(template)}
    errors = (event.get("exception") or {}).get("values") or []
    if errors:
        kept["exception"] = {"values": [_type_and_place(error) for error in errors]}
    return kept


def _type_and_place(error: Any) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames") or []
    places = [{name: frame[name] for name in _FRAME if name in frame} for frame in frames]
    return {"type": error.get("type"), "module": error.get("module"), "stacktrace": {"frames": places}}
