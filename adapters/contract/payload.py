"""Typed reading of foreign JSON: a value of the wrong type is an error that names its path, never a KeyError."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from adapters.contract.errors import UnexpectedResponse
from adapters.contract.types import DroppedHit

T = TypeVar("T")
Item = TypeVar("Item")
_MISSING = object()
_LARGEST_NUMBER = 2**53 - 1
_INDEX = re.compile(r"[0-9]{1,9}", re.ASCII)
#: In small letters, without what stands between words: is_deleted, IsDeleted, DELETED_AT.
_DELETED_FLAGS = frozenset(("isdeleted", "deleted", "istrashed", "trashed", "intrash", "isintrash"))
_DELETED_TIMES = frozenset(("deletedat", "deletedon", "deleteddate", "deletedtime", "datedeleted", "trashedat"))
_STATES = frozenset(("status", "state", "recordstatus"))
_YES = frozenset(("true", "1", "y", "yes"))
#: What a date that was never set is written with: 0000-00-00 00:00:00.
_NO_DATE = "0-:. TZ"
_HALF = re.compile("[\ud800-\udfff]")  # Python joins the halves of a pair while it reads JSON


def is_storable(text: str) -> bool:
    """Whether databases and replies take the text: no NUL, no half of a character."""
    return "\x00" not in text and not _HALF.search(text)


def storable(value: Any) -> Any:
    """JSON made such that they do: NUL is left out, half a character (a text cut within an emoji) becomes U+FFFD."""
    if isinstance(value, str):
        return _HALF.sub("\ufffd", value.replace("\x00", ""))
    if isinstance(value, list):
        return [storable(item) for item in value]
    return {storable(key): storable(item) for key, item in value.items()} if isinstance(value, dict) else value


def _find(payload: Any, path: str) -> Any:
    value = payload
    for part in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(part, _MISSING)
        elif isinstance(value, list) and _INDEX.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return _MISSING
    return value


def _is_a(value: Any, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def require(payload: Any, path: str, as_: type[T]) -> T:
    """The value at a dotted path (``data.0.id``), of type ``as_``.

    ``int`` does not accept booleans, ``float`` accepts ints. Raises ``UnexpectedResponse`` naming the path;
    ``maybe_applied`` is true, since the surprise may follow a write.
    """
    value = _find(payload, path)
    if value is _MISSING or not _is_a(value, as_):
        found = "nothing" if value is _MISSING else type(value).__name__
        raise UnexpectedResponse(reason=f"expected {as_.__name__} at '{path}', found {found}", maybe_applied=True)
    return cast(T, value)


def require_id(payload: Any, path: str) -> str | int:
    """An id in the vendor's own type; an empty text or a float is not one.

    A number beyond 2^53 comes as its digits: JavaScript would round it, and databases hold 64 bits.
    """
    value = _find(payload, path)
    if _is_a(value, int) and abs(value) > _LARGEST_NUMBER:
        return str(value)
    if (isinstance(value, str) and value) or _is_a(value, int):
        return cast("str | int", value)
    raise UnexpectedResponse(reason=f"expected an id at '{path}'", maybe_applied=True)


def dig(payload: Any, path: str, as_: type[T], default: T) -> T:
    """As ``require``, but ``default`` for a missing, null or wrong-typed value."""
    value = _find(payload, path)
    return cast(T, value) if value is not _MISSING and _is_a(value, as_) else default


def text_or_null(payload: Any, path: str) -> str:
    """The text at a path, null as "". Raises ``UnexpectedResponse`` for anything else, and where nothing is there.

    For a body that is edited: what did not come must not be taken for one that people left empty.
    """
    value = _find(payload, path)
    if value is None or isinstance(value, str):
        return value or ""
    raise UnexpectedResponse(reason=f"expected a text at '{path}'")


def rows(payload: Any, path: str) -> list[dict[str, Any]]:
    """The list of objects at a path. Raises ``UnexpectedResponse`` when it is not one.

    Null counts as empty where it is a member; an empty answer says nothing, not that there is nothing.
    """
    value = _find(payload, path)
    if value is None and payload is not None:
        return []
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise UnexpectedResponse(reason=f"expected a list of objects at '{path}'", maybe_applied=True)
    return value


def readable(items: Sequence[Item], read: Callable[[Item], T]) -> tuple[list[T], tuple[DroppedHit, ...]]:
    """What was read of each item, and those that could not be: one bad row hides no good one.

    Raises the ``UnexpectedResponse`` where nothing could be read at all: that is not "nothing found".
    """
    found: list[T] = []
    dropped: list[DroppedHit] = []
    failure = None
    for number, item in enumerate(items, 1):
        try:
            found.append(read(item))
        except UnexpectedResponse as error:
            failure = failure or error
            dropped.append(DroppedHit(id=f"row {number}", reason=f"cannot be read: {error.reason}"))
    if failure and not found:
        raise failure
    return found, tuple(dropped)


def is_deleted(record: Any) -> bool:
    """Whether a record that the CRM still shows says itself that it was deleted, by one of the usual members."""
    return isinstance(record, dict) and any(_says_deleted(str(name), value) for name, value in record.items())


def _says_deleted(name: str, value: Any) -> bool:
    word, text = name.replace("_", "").lower(), str(value).strip().lower()
    if word in _DELETED_FLAGS:
        return text in _YES
    if word in _DELETED_TIMES:
        return isinstance(value, str | int) and not isinstance(value, bool) and bool(str(value).strip(_NO_DATE))
    return word in _STATES and text == "deleted"
