"""Writes what a delivery carries as JSON, and reads it back."""

from __future__ import annotations

from typing import Any, TypeVar

from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.json import make_converter

from adapters.contract import CallLogEntry

Payload = TypeVar("Payload")


class UnreadablePayload(ValueError):
    """The stored JSON is not the change it should be."""


_converter = make_converter()
# The callback belongs to one attempt; the attempt puts it in.
_converter.register_unstructure_hook(
    CallLogEntry, make_dict_unstructure_fn(CallLogEntry, _converter, created=override(omit=True))
)
_converter.register_structure_hook(
    CallLogEntry, make_dict_structure_fn(CallLogEntry, _converter, created=override(omit=True))
)


def to_json(change: Any) -> str:
    """A frozen dataclass of the services as JSON."""
    return _converter.dumps(change)


def from_json(text: str, kind: type[Payload]) -> Payload:
    """The dataclass again. Raises ``UnreadablePayload``."""
    try:
        return _converter.loads(text, kind)
    except (BaseValidationError, ValueError, TypeError, KeyError) as error:
        raise UnreadablePayload(type(error).__name__) from None
