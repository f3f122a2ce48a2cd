"""What of a case must never show in log lines and errors: secrets, telephone numbers, names, what people wrote."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.contract import parse_phone
from tests.failures import MARKER

_SECRET = re.compile(r"token|secret|password|key|session|code$", re.IGNORECASE)
_TYPED_SECRET = re.compile(r"password|apikey|^code$", re.IGNORECASE)
_PERSON = ("name", "contact_name")
_WRITTEN = ("note", "text", "transcript", "ai_note", "body")
_NUMBER = ("phone", "raw", "phone_number")
#: Shorter texts stand in messages by chance.
_LEAST = 6


@dataclasses.dataclass(frozen=True, kw_only=True)
class Private:
    """Texts that have to stay out; ``numbers`` in the notations they are searched in."""

    secrets: tuple[str, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...]


def private_values(document: Mapping[str, Any]) -> Private:
    """The private values of a case, found by the names of the members that hold them."""
    given = {name: document.get(name, {}) for name in ("credentials", "secrets", "cache")}
    secrets = [value for name, value in _leaves(given) if _SECRET.search(name) and _is_secret(value)]
    call = list(_leaves(document.get("call", {})))
    secrets += [value for name, value in call if _TYPED_SECRET.search(name) and _is_secret(value)]
    numbers = [form for name, value in call if name in _NUMBER for form in _notations(value)]
    texts = [value for name, value in call if name in (*_PERSON, *_WRITTEN) and len(value) >= _LEAST]
    return Private(
        secrets=tuple(dict.fromkeys([*secrets, MARKER])),
        numbers=tuple(dict.fromkeys(numbers)),
        texts=tuple(dict.fromkeys(texts)),
    )


def _is_secret(value: str) -> bool:
    """Addresses and times stand under names that speak of tokens and sessions too."""
    return len(value) >= _LEAST and not value.startswith("http") and not value[:4].isdigit()


def leaked(private: Private, text: str) -> Iterator[str]:
    """What of the private values stands in a text, by its kind."""
    for kind, values in (("a secret", private.secrets), ("a number", private.numbers), ("a text", private.texts)):
        if any(value in text for value in values):
            yield kind


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, str(key))
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, name)
    elif isinstance(value, str):
        yield name, value


def _notations(number: str) -> list[str]:
    phone = parse_phone(number)
    forms = (phone.e164, phone.national_format, phone.international_format, phone.national)
    return [form for form in forms if len(form) >= _LEAST]
