"""Collects mistakes of a document, and reads its members so that one mistake does not hide the next."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.proxy import schema
from adapters.proxy.template import path_fault

#: RFC 9110 section 5.6.2.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Headers that belong to the connection, and cookies.
_OWN_HEADERS = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "cookie",
        "set-cookie",
        "cookie2",
    }
)
_SHOWN = 80
_MOST_SHOWN = 500
_HINTED = 50


class Mistakes:
    """The mistakes found so far."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}

    @property
    def found(self) -> list[str]:
        """In the order of their discovery, none twice."""
        return list(self._lines)

    def add(self, path: str, sentence: str, *, like: tuple[str, Iterable[str]] | None = None) -> None:
        """``like``: a word and those it may have been meant for."""
        near: list[str] = []
        if like and len(like[0]) <= _SHOWN and len(self._lines) < _HINTED:  # a hint takes time
            near = difflib.get_close_matches(like[0], sorted(like[1]), n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        place = ".".join(part if len(part) <= _SHOWN else f"{part[:_SHOWN]}…" for part in path.split("."))
        self._lines[f"{_printable(place)}: {_printable(sentence)}{hint}"] = None

    def object(self, value: Any, path: str, keys: tuple[str, ...], what: str = "") -> Mapping[str, Any]:
        """The object's known members; other keys are mistakes."""
        if not isinstance(value, dict):
            self.add(path or what, "must be an object")
            return {}
        for key in value:
            place = f"{path}.{key}" if path else str(key)
            if key not in keys:
                moved = schema.MOVED.get(place)
                self.add(place, moved or "is not known here", like=None if moved else (str(key), keys))
        return {key: item for key, item in value.items() if key in keys}

    def any_object(self, value: Any, path: str) -> Mapping[str, Any]:
        """An object whose keys are free."""
        if not isinstance(value, dict):
            self.add(path, "must be an object")
            return {}
        return value

    def text(self, entry: Mapping[str, Any], key: str, path: str, default: str = "") -> str:
        value = entry.get(key, default)
        if not isinstance(value, str):
            self.add(f"{path}.{key}", "must be a text")
            return default
        if not is_unicode(value):
            self.add(f"{path}.{key}", "has half a character")
            return default
        return value

    def one_of(self, entry: Mapping[str, Any], key: str, path: str, choices: tuple[str, ...], default: str) -> str:
        value = entry.get(key, default)
        if value not in choices:
            self.add(f"{path}.{key}", f"must be one of {', '.join(choices)}")
            return default
        return str(value)

    def whole(self, entry: Mapping[str, Any], key: str, path: str, default: int, *, least: int, most: int) -> int:
        value = entry.get(key)
        if value is None and key not in entry:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.add(f"{path}.{key}", f"must be a whole number from {least} to {most}")
            return default
        return value

    def answer_path(self, entry: Mapping[str, Any], key: str, path: str, roots: frozenset[str] | None) -> str:
        """A path into an answer; "" when it is not given. ``roots`` None: it starts at a list's element."""
        value = self.text(entry, key, path)
        if value:
            self.check_path(value, f"{path}.{key}", roots)
        return value

    def check_path(self, value: Any, path: str, roots: frozenset[str] | None, *, starred: bool = False) -> None:
        """``starred``: whether ``*`` may stand for every element of a list."""
        if not isinstance(value, str) or not is_unicode(value):
            self.add(path, "must be a path such as body.items")
        elif value == "$":
            return
        elif fault := path_fault(value):
            self.add(path, fault)
        elif "*" in value.split(".") and not starred:
            self.add(path, f"'{value}': '*' works in phonePaths only; elements of lists go by number")
        elif roots is not None and value.split(".")[0] not in roots:
            self.add(path, f"must begin with {' or '.join(sorted(roots))}")

    @staticmethod
    def is_token(text: str) -> bool:
        return _TOKEN.fullmatch(text) is not None

    def header_name(self, name: str, path: str) -> str:
        if not self.is_token(name):
            self.add(path, "is no name of a header")
        elif name.lower() in _OWN_HEADERS or name.lower().startswith("proxy-"):
            self.add(path, f"{name} may not be set")
        return name


def is_unicode(text: str) -> bool:
    """Whether a text can be sent: half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(text: str) -> str:
    """One line of bounded length for a terminal."""
    return "".join(char if char.isprintable() and is_unicode(char) else "?" for char in text[:_MOST_SHOWN])
