"""Log lines: one JSON object or one console line each, scrubbed before anything is formatted."""

from __future__ import annotations

import json
import logging.config
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.debug import ExceptionReporter

_SECRET = re.compile(
    r"(?i)\b(jwtToken|rcAccessToken|access_?token|refresh_?token|code|apiKey|client_secret|password|token|phoneNumber)"
    r"(=|%3D)[^&\s\"']+"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|userkeyauth)\s+[A-Za-z0-9._~+/=-]+")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_PHONE = re.compile(r"\+\d[\d ().-]{6,}\d")
#: Without one of these a text matches none of the expressions here; most texts have none.
_TO_LOOK_AT = re.compile(r"[?=%+]|eyJ|(?i:bearer|basic|userkeyauth)")


#: The query of an address or of a request line: names and e-mail addresses are looked up there too. A word is read
#: once, to its first slash and on to its question mark, not again from each slash: a stranger can have one logged.
_QUERY = re.compile(r"(?<![^\s?\"'<>])((?>[^\s?\"'<>]*?\B/)[^\s?\"'<>]*+)\?[^\s\"'<>]*")


def scrub(text: str) -> str:
    """The text without queries of addresses, authorisation values, tokens and phone numbers."""
    if not _TO_LOOK_AT.search(text):
        return text
    text = _QUERY.sub(r"\1?[removed]", text)
    text = _SECRET.sub(r"\1\2[removed]", text)
    text = _BEARER.sub(r"\1 [removed]", text)
    return _PHONE.sub("[number]", _JWT.sub("[token]", text))


def traceback_without_texts(error: BaseException | None) -> str:
    """Where an exception came from, through all its causes, by type and line.

    Its text is left out: it may repeat what a user typed, a row's values, or an address with a token.
    """
    lines: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        lines += ["Traceback (most recent call last):", *_frames(error), type(error).__qualname__]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is not None:
            lines.append("caused by:")
    return "\n".join(lines)


def _frames(error: BaseException) -> list[str]:
    summary = traceback.extract_tb(error.__traceback__)
    return [f"  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in summary]


def _format_exception(logger: Any, method: str, event: Any) -> Any:
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = traceback_without_texts(error)
    return event


class TerseReporter(ExceptionReporter):
    """Django's exception report, with types and lines only; the full page under DEBUG."""

    def get_traceback_text(self) -> SafeString:
        return super().get_traceback_text() if settings.DEBUG else SafeString(self._terse())  # nosec

    def _terse(self) -> str:
        return traceback_without_texts(self.exc_value)

    def get_traceback_html(self) -> SafeString:
        return super().get_traceback_html() if settings.DEBUG else format_html("<pre>{}</pre>", self._terse())


def _scrub_event(logger: Any, method: str, event: Any) -> Any:
    # Objects are printed here, where they can be scrubbed: a request's repr holds its whole query.
    return {
        key: value if value is None or isinstance(value, int | float) else _printed(key, value)
        for key, value in event.items()
    }


def _printed(key: str, value: Any) -> Any:
    if isinstance(value, HttpRequest):
        return f"{value.method} {value.path}"
    return value if key.startswith("_") else scrub(str(value))


class WithoutTaskTexts(logging.Filter):
    """Takes a task's arguments and its exception's text out of Celery's lines; type and place are printed all the same.

    Celery writes both into the message and once more, with a traceback, into what it adds to the record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        about = vars(record).pop("data", None)
        if isinstance(about, dict):
            record.msg = "Task %s[%s] %s"
            record.args = (about.get("name"), about.get("id"), about.get("description"))
        return True


def _json_line(event: Any, **options: Any) -> str:
    try:
        return orjson.dumps(event).decode()
    except TypeError:  # a number of more than 64 bits, or half a character
        return json.dumps(event, **options)


class FixedLines(logging.Formatter):
    """Prints records that carry all their values in ``fields``, taken from fixed sets: nothing there is to be scrubbed.

    There is one for each request, so it costs as little as it can.
    """

    def __init__(self, render: Any) -> None:
        super().__init__()
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat()
        event = {"event": record.msg, **vars(record)["fields"], "level": record.levelname.lower()}
        event |= {"logger": record.name, "timestamp": time}
        return str(self._render(None, "", event))


class Lines(structlog.stdlib.ProcessorFormatter):
    """Prints the lines about requests to CRMs by itself, since each look-up has many; all others as structlog does."""

    def __init__(self, *, render: Any, **usual: Any) -> None:
        super().__init__(**usual)
        self._render = render

    def format(self, record: logging.LogRecord) -> str:
        line = record.args
        if not isinstance(line, dict) or "vendor_request_id" not in line or record.exc_info:
            return super().format(record)
        values = {**structlog.contextvars.get_contextvars(), **line}
        event = {name: scrub(value) if isinstance(value, str) else value for name, value in values.items()}
        event = {"event": scrub(record.getMessage()), **event}
        time = datetime.fromtimestamp(record.created, UTC).isoformat()
        event |= {"level": record.levelname.lower(), "logger": record.name, "timestamp": time}
        return str(self._render(None, "", event))


def logging_settings(*, json_lines: bool) -> dict[str, Any]:
    """A ``logging.config.dictConfig`` dictionary."""
    renderer = (
        structlog.processors.JSONRenderer(_json_line) if json_lines else structlog.dev.ConsoleRenderer(colors=False)
    )
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _format_exception,
        _scrub_event,
    ]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": Lines,
                "render": renderer,
                "foreign_pre_chain": shared,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            },
            "fixed": {"()": FixedLines, "render": renderer},
        },
        "filters": {"task_texts": {"()": WithoutTaskTexts}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "fixed": {"class": "logging.StreamHandler", "formatter": "fixed"},
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "django": {"level": "INFO"},
            # Its warnings print the path and query of a request, phone number included.
            "urllib3": {"level": "ERROR"},
            # Tracebacks only; not a line for every 4xx.
            "django.request": {"level": "ERROR"},
            "switchboard.requests": {"handlers": ["fixed"], "propagate": False},
            # It would print what was typed as a user name, now and then a password.
            "axes": {"level": "ERROR"},
            "celery.app.trace": {"filters": ["task_texts"]},
            # It would print the request line with its query, where old clients put their token.
            "django.server": {"level": "CRITICAL"},
        },
    }


def configure(given: dict[str, Any]) -> None:
    """Applies the settings, and sends errors to Sentry where that is wanted; named in LOGGING_CONFIG."""
    logging.config.dictConfig(given)
    if settings.SENTRY_DSN:
        from config import error_reports

        error_reports.start(settings.SENTRY_DSN, release=settings.VERSION)
