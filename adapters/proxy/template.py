"""Templates: texts with ``{{ path }}`` in them, filled in by look-up only and escaped for the place they stand in."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, ClassVar
from urllib.parse import quote

from adapters.contract import RequestRejected, dig

#: What a path that leads nowhere gives; ``None`` is a value of its own (JSON's null).
MISSING = object()

_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
_PART = re.compile(r"[^\s{}./\\]+")
_INDEX = re.compile(r"\[([0-9]{1,4})\]", re.ASCII)
_DOTTED = r".\1"
_MOST_PARTS = 10
#: Characters that all texts of one request may have together.
_MOST_TEXT = 2_000_000
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,20}(Z|[+-][0-9:]{4,6})", re.ASCII)
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")
_HOST_VALUE = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.ASCII | re.IGNORECASE)

Values = Mapping[str, Any]


class TemplateError(ValueError):
    """The text is no template; the message is a sentence for its author."""


def path_fault(path: str) -> str:
    """Why a dotted path cannot be followed; empty when it can."""
    if _INDEX.search(path):
        return f"'{path}': elements of lists go by number after a dot: '{_INDEX.sub(_DOTTED, path)}'"
    parts = path.split(".")
    if len(parts) > _MOST_PARTS:
        return f"the path has more than {_MOST_PARTS} parts"
    if not all(_PART.fullmatch(part) for part in parts):
        return f"'{path}' is not a path of names separated by dots"
    if any(part.startswith("__") for part in parts):
        return "a name may not begin with '__'"
    return ""


@dataclass(frozen=True, slots=True)
class Template:
    """A text taken apart: literals at even places, paths at odd ones. Text that came from data is never read again."""

    parts: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises ``TemplateError``."""
        parts = _PLACEHOLDER.split(text)
        if any("{{" in literal or "}}" in literal for literal in parts[::2]):
            raise TemplateError("'{{' and '}}' do not belong together")
        for before, after in itertools.pairwise(parts[::2]):
            if before.endswith("{") and after.startswith("}"):
                raise TemplateError("a variable has two braces on each side, not three")
        paths = [path.strip() for path in parts[1::2]]
        for path in paths:
            if fault := path_fault(path):
                raise TemplateError(fault)
        return cls(tuple(paths[index // 2] if index % 2 else part for index, part in enumerate(parts)))

    @property
    def paths(self) -> tuple[str, ...]:
        return self.parts[1::2]

    @property
    def is_single(self) -> bool:
        """Whether it is exactly one placeholder, which passes its value on with its type."""
        return len(self.parts) == 3 and self.parts[0] == self.parts[2] == ""

    def shape(self) -> str:
        """The text with names in the places of values, for log lines."""
        return "".join(f"{{{part}}}" if index % 2 else part for index, part in enumerate(self.parts))


@dataclass(frozen=True, slots=True)
class Html:
    """A text whose values are escaped for HTML; the composed log body, which is HTML already, is not."""

    key: ClassVar[str] = "$html"
    template: Template


@dataclass(frozen=True, slots=True)
class Text:
    """A value as text, whatever its type; one that is missing or null stays so."""

    key: ClassVar[str] = "$text"
    template: Template


@dataclass(frozen=True, slots=True)
class Number:
    """A number in another unit: ``(value * multiply / divide) + add``, rounded to ``decimals``.

    A time counts as the seconds since 1970. A value that is missing or null stays so.
    """

    key: ClassVar[str] = "$number"
    template: Template
    multiply: Fraction = Fraction(1)
    divide: Fraction = Fraction(1)
    add: Fraction = Fraction(0)
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Choose:
    """A value looked up in a table by the text of another; ``otherwise`` where the table lacks it."""

    key: ClassVar[str] = "$choose"
    template: Template
    table: Mapping[str, Any]
    otherwise: Any = MISSING


@dataclass(frozen=True, slots=True)
class UrlTemplate:
    """An address: host (None: the base URL's) and path, each a template of its own."""

    host: Template | None
    path: Template

    @property
    def paths(self) -> tuple[str, ...]:
        return (*(self.host.paths if self.host else ()), *self.path.paths)


class Renderer:
    """Fills in the templates of one request; raises ``RequestRejected`` for what must not be sent."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._left = _MOST_TEXT

    def value(self, template: Template) -> Any:
        """The raw value of a single placeholder, ``MISSING`` where there is none; the text of any other template."""
        if not template.is_single:
            return self.text(template)
        value = dig(self._values, template.parts[1], object, MISSING)
        self._left -= len(value) if isinstance(value, str) else 0
        self._check_size()
        return value

    def _number(self, node: Number) -> Any:
        value = self.value(node.template)
        if value is MISSING or value is None or value == "":
            return MISSING if value == "" else value
        found = number_of(value)
        if found is None:
            raise RequestRejected(reason=f"'{'.'.join(node.template.paths)}' is no number")
        result = found * node.multiply / node.divide + node.add
        return round(result) if node.decimals == 0 else float(round(result, node.decimals))

    def text(self, template: Template, escape: Callable[[str, str], str] = lambda text, path: text) -> str:
        """The text with every value in its place; missing and null ones are empty. ``escape(text, path)``."""
        parts = [
            escape(text_of(dig(self._values, part, object, None)), part) if index % 2 else part
            for index, part in enumerate(template.parts)
        ]
        self._left -= sum(map(len, parts))
        self._check_size()
        return "".join(parts)

    def _check_size(self) -> None:
        if self._left < 0:
            raise RequestRejected(reason="the request is too large")

    def required(self, template: Template) -> str:
        """The text; a value that is missing, null or empty is an error."""
        for path in template.paths:
            if text_of(dig(self._values, path, object, None)) == "":
                raise RequestRejected(reason=f"there is no value for '{path}'")
        return self.text(template)

    def url(self, url: UrlTemplate) -> str:
        """The address. Each value is one piece of one path segment, or a plain host name, whatever it contains."""
        self.required(url.path)
        path = self.text(url.path, lambda text, _: quote(text, safe="", errors="replace"))
        if any(segment in (".", "..") for segment in path.split("/")):
            raise RequestRejected(reason="the path leads to another resource")
        if url.host is None:
            return path
        self.required(url.host)
        return f"https://{self.text(url.host, _host_value)}{path}"

    def header(self, template: Template) -> str | None:
        """The header's value; None where its only placeholder is missing."""
        value = self.value(template)
        if value is MISSING or value is None:
            return None
        return header_value(_scalar(value))

    def query(self, node: Template | Text | Number | Choose) -> str | list[str] | None:
        """The parameter's value, unescaped as the HTTP library wants it; None: left out. A list repeats the name."""
        value = self.json(node)
        if value is MISSING or value is None:
            return None
        return [_scalar(item) for item in value] if isinstance(value, list) else _scalar(value)

    def json(self, node: Any) -> Any:
        """The body: objects and lists lose the members whose only placeholder is missing."""
        match node:
            case Template():
                return self.value(node)
            case Html(template=template):
                return self.text(template, _html_value)
            case Text(template=template):
                value = self.value(template)
                return value if value is MISSING or value is None else _scalar(value)
            case Number():
                return self._number(node)
            case Choose(template=template, table=table, otherwise=otherwise):
                return table.get(self.text(template), otherwise)
            case dict():
                members = {key: self.json(item) for key, item in node.items()}
                return {key: item for key, item in members.items() if item is not MISSING}
            case list():
                return [item for item in map(self.json, node) if item is not MISSING]
            case _:
                return node


def number_of(value: Any) -> Fraction | None:
    """The number in a value, exactly; a time is its seconds since 1970. None where there is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Fraction(value) if isinstance(value, int) or value.is_integer() else Fraction(str(value))
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        return Fraction(value.strip())
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            return Fraction(str(datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()))
        except ValueError:
            return None
    return None


def text_of(value: Any) -> str:
    """A value as text: null is empty, objects and lists are JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, default=str)


def header_value(text: str) -> str:
    """The text, if it may stand in a header: no line end, no NUL, nothing beyond ASCII."""
    if not _HEADER_VALUE.fullmatch(text):
        raise RequestRejected(reason="a header's value has characters that are not allowed there")
    return text


def is_host_name(text: str) -> bool:
    """Whether a text is a plain host name: no port, no user, no path."""
    return _HOST_VALUE.fullmatch(text) is not None


def _scalar(value: Any) -> str:
    if isinstance(value, dict | list):
        raise RequestRejected(reason="an object or a list stands where a text belongs")
    return text_of(value)


def _host_value(text: str, path: str) -> str:
    if not is_host_name(text):
        raise RequestRejected(reason="the host name is malformed")
    return text


def _html_value(text: str, path: str) -> str:
    return text if path == "composedLogDetails" else html.escape(text)
