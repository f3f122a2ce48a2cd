"""Values of the contract as the plain data of a fixture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

from adapters.contract import PhoneNumber


def plain(value: Any) -> Any:
    """JSON that the conformance kit reads back as the value; members that have their default are left out."""
    if isinstance(value, PhoneNumber):
        return _phone(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {
            item.name: getattr(value, item.name) for item in dataclasses.fields(value) if not _is_usual(item, value)
        }
        return {name: plain(item) for name, item in members.items() if not callable(item)}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _is_usual(item: dataclasses.Field[Any], holder: Any) -> bool:
    value = getattr(holder, item.name)
    if item.default is not dataclasses.MISSING:
        return type(value) is type(item.default) and bool(value == item.default)
    return item.default_factory is not dataclasses.MISSING and bool(value == item.default_factory())


def _phone(phone: PhoneNumber) -> dict[str, Any]:
    members: dict[str, Any] = {"raw": phone.raw}
    if phone.formats:
        members["formats"] = ",".join(phone.formats)
    return {**members, **({"is_extension": True} if phone.is_extension else {})}
