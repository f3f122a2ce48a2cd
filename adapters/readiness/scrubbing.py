"""Puts invented values in place of secrets and of people's, the same one wherever a value stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

_SECRET = re.compile(r"token|secret|password|api_?key|user_?key|authorization|signature|session|^code$", re.IGNORECASE)
#: Members whose names speak of tokens and sessions, and that hold none.
_NO_SECRET = re.compile(r"type|expir|url|uri|zone|region|endpoint|host|domain", re.IGNORECASE)
_PERSONAL = re.compile(
    r"name|mail|phone|mobile|fax|street|city|zip|postal|address|birth|note|comment|company|organi[sz]ation|avatar|photo"
    r"|description|background|about|biograph|summary|details|body|text$|skype|linkedin|twitter|facebook|website",
    re.IGNORECASE,
)
#: Members whose names contain "name" and "address", and that hold neither.
_NO_PERSON = re.compile(r"host|zone|ip_?address", re.IGNORECASE)
_PERSON = re.compile(r"^(full_?|first_?|last_?|given_?|family_?|display_?|user_?)?name$", re.IGNORECASE)
_NUMBER = re.compile(r"phone|mobile|fax", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")
_SHORTEST_SECRET = 4
_SHORTEST_WORD = 2


class Substitutes:
    """Invented values for those that must not be kept; ``own``: texts of the checklist, which stay as they are."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._own_digits = re.sub(r"\D", "", own)
        self._found: dict[str, str] = {}

    def add_secret(self, value: Any, name: str) -> None:
        """Takes a text for a secret, wherever it came from; ``name``: what it is called there."""
        if not isinstance(value, str) or len(value) < _SHORTEST_SECRET or _NO_SECRET.search(name):
            return
        slug = re.sub(r"[^a-z]+", "-", name.lower()).strip("-") or "secret"
        self._found.setdefault(value, f"{slug}-for-fixtures-{len(self._found) + 1}")

    def look_through(self, node: Any) -> None:
        """Takes what the members' names tell to be a secret or a person's."""
        for name, value in _texts(node):
            if _SECRET.search(name) and not value.startswith("http"):
                self.add_secret(value, name)
            elif _PERSONAL.search(name) and not _NO_PERSON.search(name) and not self._is_own(value):
                self._add_personal(value, name)

    def _add_personal(self, value: str, name: str) -> None:
        count = len(self._found) + 1
        if value in self._found or len(value) < _SHORTEST_WORD:
            return
        if _EMAIL.fullmatch(value):
            self._found[value] = f"user{count}@example.com"
        elif _NUMBER.search(name) and any(char.isdigit() for char in value):
            self._found[value] = f"+1650555{1000 + count % 9000:04}"
        elif _PERSON.search(name):  # the parts too: they stand by themselves elsewhere
            parts = [self._word(word) for word in value.split()]
            self._found[value] = " ".join(parts)
        else:
            self._found[value] = f"Text {count}"

    def _word(self, word: str) -> str:
        if len(word) < _SHORTEST_WORD or self._is_own(word):
            return word
        return self._found.setdefault(word, f"Name{len(self._found) + 1}")

    def _is_own(self, value: str) -> bool:
        digits = re.sub(r"\D", "", value)
        return value in self._own or (len(digits) >= 7 and digits in self._own_digits) or "readiness" in value.lower()

    def put_into(self, node: Any) -> Any:
        """The same JSON, with the invented values in place of those taken so far, and no e-mail address."""
        pattern = self._pattern()
        return _mapped(
            node, lambda text: _EMAIL.sub(self._email, pattern.sub(self._substitute, text) if pattern else text)
        )

    def _pattern(self) -> re.Pattern[str] | None:
        forms = {form for value in self._found for form in (value, quote(value, safe=""), quote_plus(value))}
        if not forms:
            return None
        listed = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        return re.compile(rf"(?<!\w)(?:{listed})(?!\w)")

    def _substitute(self, match: re.Match[str]) -> str:
        forms = ((value, substitute) for value, substitute in self._found.items())
        return next(new for value, new in forms if match[0] in (value, quote(value, safe=""), quote_plus(value)))

    def _email(self, match: re.Match[str]) -> str:
        return match[0] if match[0].endswith("@example.com") else "user@example.com"


def _texts(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, item in node.items():
            yield from _texts(item, str(key))
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item, name)
    elif isinstance(node, str) and node:
        yield name, node


def _mapped(node: Any, change: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _mapped(item, change) for key, item in node.items()}
    if isinstance(node, list):
        return [_mapped(item, change) for item in node]
    return change(node) if isinstance(node, str) else node
