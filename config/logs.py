"""Log lines: one JSON object or one console line each, scrubbed before anything is formatted."""

from __future__ import annotations

import logging.config
import re
from typing import Any

import structlog

_SECRET = re.compile(
    r"(?i)\b(jwtToken|rcAccessToken|access_?token|refresh_?token|code|apiKey|client_secret|password|token|phoneNumber)"
    r"(=|%3D)[^&\s\"']+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|userkeyauth)\s+[A-Za-z0-9._~+/=-]+")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_PHONE = re.compile(r"\+\d[\d ().-]{6,}\d")


def scrub(text: str) -> str:
    """The text without secrets in URLs, authorisation values, tokens and phone numbers."""
    text = _SECRET.sub(r"\1\2[removed]", text)
    text = _BEARER.sub(r"\1 [removed]", text)
    return _PHONE.sub("[number]", _JWT.sub("[token]", text))


def _scrub_event(logger: Any, method: str, event: Any) -> Any:
    # Objects are printed here, where they can be scrubbed: a request's repr holds its whole query.
    return {
        key: value if value is None or isinstance(value, int | float) else _printed(key, value)
        for key, value in event.items()
    }


def _printed(key: str, value: Any) -> Any:
    return value if key.startswith("_") else scrub(str(value))


def logging_settings(*, json_lines: bool) -> dict[str, Any]:
    """A ``logging.config.dictConfig`` dictionary."""
    renderer = structlog.processors.JSONRenderer() if json_lines else structlog.dev.ConsoleRenderer(colors=False)
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _scrub_event,
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "django": {"level": "INFO"},
            # Its warnings print the path and query of a request, phone number included.
            "urllib3": {"level": "ERROR"},
            # Tracebacks only; not a line for every 4xx.
            "django.request": {"level": "ERROR"},
            # It would print the request line with its query, where old clients put their token.
            "django.server": {"level": "CRITICAL"},
        },
    }


def configure(settings: dict[str, Any]) -> None:
    """Applies the settings; named in LOGGING_CONFIG."""
    logging.config.dictConfig(settings)
