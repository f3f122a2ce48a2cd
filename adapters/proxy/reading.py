"""Typed reading of answers: texts, times, lists of numbers, further than ``require`` and ``dig`` go."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from adapters.contract import UnexpectedResponse, dig, require, rows
from adapters.proxy.schema import UNITS
from adapters.proxy.template import number_of

T = TypeVar("T")

_COMPACT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2}))?", re.ASCII)
_EPOCH = re.compile(r"[0-9]{9,10}|[0-9]{12,13}|[0-9]{15,16}|[0-9]{18,19}", re.ASCII)
_START = datetime(1970, 1, 1, tzinfo=UTC)


def place(path: str) -> str:
    """A mapping's path for ``require`` and ``dig``: ``$`` is the whole."""
    return "" if path == "$" else path


def text(payload: Any, path: str, default: str = "") -> str:
    """The text at a path, numbers included; ``default`` where there is nothing or null."""
    value = dig(payload, place(path), object, None)
    if value is None:
        return default
    if isinstance(value, bool | dict | list):
        raise UnexpectedResponse(reason=f"expected a text at '{path}', found {type(value).__name__}")
    return str(value)


def optional(read: Callable[[], T], default: T) -> T:
    """What ``read`` returns, ``default`` where it cannot be read: a record is not lost for want of a date."""
    try:
        return read()
    except (UnexpectedResponse, OverflowError, ValueError):
        return default


def joined(payload: Any, paths: Sequence[str], default: str = "") -> str:
    """Several texts with a blank between them: first and last name."""
    return " ".join(filter(None, (text(payload, path).strip() for path in paths))) or default


def name_at(payload: Any, mapping: Mapping[str, Any], default: str = "", *, key: str = "namePath") -> str:
    """The name at the mapping's paths; its HTML entities decoded where the mapping says ``decodeEntities``."""
    return decoded(joined(payload, mapping.get(key, []), default), mapping)


def decoded(value: str, mapping: Mapping[str, Any]) -> str:
    """A text in which some CRMs write ``&amp;`` for ``&``: decoded where the mapping says ``decodeEntities``."""
    return html.unescape(value) if mapping.get("decodeEntities") else value


def written_text(payload: Any, path: str) -> str:
    """The text at a path that must be there; null is an empty text.

    What is composed over an unread body would overwrite it, so a missing one is an error.
    """
    require(payload, place(path), object)
    return text(payload, path)


def table(payload: Any, path: str) -> list[dict[str, Any]]:
    """The list of objects at a path that must be there; null is an empty list. Other rows among them are left out."""
    found = dig(payload, place(path), list, [])
    return [row for row in found if isinstance(row, dict)] or rows(payload, place(path))


def number(payload: Any, path: str) -> int | None:
    """A whole number, a text of digits included; None where there is nothing."""
    value = dig(payload, place(path), object, None)
    if value is None or value == "":
        return None
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value, re.ASCII):
        return int(value)
    return round(require(payload, place(path), float))


def seconds(payload: Any, path: str, *, unit: str | None = None) -> int | None:
    """A duration as whole seconds; ``unit``: what the answer counts in, one of ``schema.UNITS``, default seconds."""
    if unit in (None, "seconds"):
        return number(payload, path)
    found = number_of(dig(payload, place(path), object, None))
    return None if found is None else round(float(found) / UNITS[unit])


def moment(payload: Any, path: str) -> datetime | None:
    """A time in any notation the client knows: ISO 8601, digits only, or the seconds to nanoseconds since 1970.

    One without a zone is taken as UTC. None where there is nothing; ``UnexpectedResponse`` where it cannot be read.
    """
    value = dig(payload, place(path), object, None)
    if value is None or value == "":
        return None
    found = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = _from_epoch(str(int(value)))
    elif isinstance(value, str):
        found = _from_text(value.strip())
    if found is None:
        raise UnexpectedResponse(reason=f"expected a time at '{path}'")
    return found


def _from_epoch(digits: str) -> datetime | None:
    if not _EPOCH.fullmatch(digits):
        return None
    unit = (len(digits) - 8) // 3 * 3  # powers of ten below a second
    return _START + timedelta(microseconds=int(digits) * 10**6 // 10**unit)


def _from_text(value: str) -> datetime | None:
    try:
        if match := _COMPACT.fullmatch(value):
            return datetime(*(int(part or 0) for part in match.groups()), tzinfo=UTC)  # type: ignore[arg-type, misc]
        if value.isdigit():
            return _from_epoch(value)
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def numbers(payload: Any, paths: Sequence[str]) -> list[str]:
    """All telephone numbers at some paths, in which ``*`` stands for every element of a list."""
    return [found for path in paths for found in _numbers(payload, path)]


def _numbers(payload: Any, path: str) -> Iterator[str]:
    before, star, behind = path.partition("*")
    value = dig(payload, place(before.rstrip(".")), object, None)
    if star:
        for item in value if isinstance(value, list) else ():
            yield from _numbers(item, behind.lstrip("."))
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
    elif isinstance(value, float) and value.is_integer():
        yield str(int(value))
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)
