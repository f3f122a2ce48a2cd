"""Whether a value is what the contract's annotations say, down to the last field."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from adapters.contract import Choice, Id
from tests.exchanges import hints_of


def type_fault(annotation: Any, value: Any, where: str) -> str:
    """The first place that does not fit, in words; empty when all does.

    Beyond the annotations: ids are non-empty texts or whole numbers, times have a zone, what has no narrower type
    can be written as JSON.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is Any:
        return _json_fault(value, where)
    if annotation == Id:
        return "" if _is_id(value) else f"{where} is no id: {value!r}"
    if origin in (typing.Union, types.UnionType):
        if Id == (kept := typing.Union[tuple(choice for choice in arguments if choice is not type(None))]):  # noqa: UP007
            return "" if value is None else type_fault(kept, value, where)
        found = [type_fault(choice, value, where) for choice in arguments]
        return "" if "" in found else found[0]
    if origin is tuple or origin is list:
        if type(value) is not origin:
            return f"{where} is no {origin.__name__}: {type(value).__name__}"
        is_mixed = origin is tuple and arguments[-1] is not Ellipsis
        kinds = arguments if is_mixed else arguments[:1] * len(value)
        if len(kinds) != len(value):
            return f"{where} holds {len(value)} values, not {len(kinds)}"
        return _first(type_fault(kinds[index], item, f"{where}.{index}") for index, item in enumerate(value))
    if origin is not None and issubclass(origin, Mapping):
        return _info_fault(value, where)
    if origin is not None and origin is not Callable:
        return ""
    if annotation is type(None) or annotation is None:
        return "" if value is None else f"{where} is not None: {value!r}"
    if annotation is datetime:
        is_aware = isinstance(value, datetime) and value.tzinfo is not None
        return "" if is_aware else f"{where} is no time with a zone: {value!r}"
    if annotation in (int, float):
        fits = isinstance(value, (int, float) if annotation is float else int) and not isinstance(value, bool)
        return "" if fits else f"{where} is no {annotation.__name__}: {value!r}"
    if not isinstance(annotation, type):
        return ""
    if not isinstance(value, annotation):
        return f"{where} is no {annotation.__name__}: {type(value).__name__}"
    if dataclasses.is_dataclass(value):
        hints = hints_of(type(value))
        names = [item.name for item in dataclasses.fields(value)]
        return _first(type_fault(_id_of(name, hints[name]), getattr(value, name), f"{where}.{name}") for name in names)
    return ""


def _id_of(name: str, annotation: Any) -> Any:
    """Fields called ``id`` and ``log_id`` are ids whatever the spelling of their annotation."""
    return Id if name in ("id", "log_id") and annotation == Id else annotation


def _is_id(value: Any) -> bool:
    return (isinstance(value, str) and bool(value.strip())) or (isinstance(value, int) and not isinstance(value, bool))


def _info_fault(value: Any, where: str) -> str:
    """Fields of a form or facts: JSON values, or choices in a tuple."""
    if not isinstance(value, Mapping):
        return f"{where} is no mapping: {type(value).__name__}"
    for key, item in value.items():
        if not isinstance(key, str):
            return f"{where} has a key that is no text: {key!r}"
        found = (
            type_fault(tuple[Choice, ...], item, f"{where}.{key}")
            if isinstance(item, tuple)
            else _info_fault(item, f"{where}.{key}")
            if isinstance(item, Mapping)
            else _json_fault(item, f"{where}.{key}")
        )
        if found:
            return found
    return ""


def _json_fault(value: Any, where: str) -> str:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        return f"{where} cannot be written as JSON: {error}"
    return ""


def _first(found: typing.Iterable[str]) -> str:
    return next(filter(None, found), "")
