"""Bullhorn's two query languages over rows in memory: enough of Lucene and JPQL to tell a right query from a wrong one.

Unlike a substring search, it refuses what the vendor refuses (a bare bracket, a loose word, an unknown operator) and
finds nothing where an escape is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<phrase>"(?:\\.|[^"\\])*")|(?P<mark>[():])|(?P<word>(?:\\.|[^\s"():\\+\-!{}\[\]^~?/&|])+))""",
    re.DOTALL,
)
_PHONES = ("phone", "mobile", "phone2", "phone3", "workPhone")
_LITERAL = re.compile(r"(?P<field>\w+)\s*=\s*(?P<value>'(?:[^']|'')*'|true|false|-?[0-9]+)", re.ASCII)


class BadQuery(ValueError):
    """The vendor would answer 400."""


def lucene(query: str) -> Test:
    """The query as a test of one row; a field that the row has not matches nothing. Raises ``BadQuery``."""
    parser = _Parser(list(_tokens(query)))
    test = parser.either("")
    if parser.tokens:
        raise BadQuery(f"unexpected {parser.tokens[0]}")
    return test


def jpql(where: str) -> Test:
    """Equalities joined with AND. Raises ``BadQuery`` for anything else."""
    wanted: dict[str, Any] = {}
    position = 0
    while True:
        found = _LITERAL.match(where, position)
        if not found:
            raise BadQuery(where)
        text = found["value"]
        if text.startswith("'"):
            wanted[found["field"]] = text[1:-1].replace("''", "'")
        else:
            wanted[found["field"]] = {"true": True, "false": False}.get(text, text)
        position = found.end()
        if position == len(where):
            return lambda row: all(_same(row.get(field), value) for field, value in wanted.items())
        if not where.startswith(" AND ", position):
            raise BadQuery(where)
        position += len(" AND ")


def _same(stored: Any, wanted: Any) -> bool:
    return stored is wanted if isinstance(wanted, bool) else str(stored) == wanted


def _tokens(query: str) -> Iterator[tuple[str, str]]:
    position = 0
    while query[position:].strip():
        found = _TOKEN.match(query, position)
        if not found:
            raise BadQuery(query[position:])
        yield str(found.lastgroup), found[str(found.lastgroup)]
        position = found.end()


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens

    def either(self, field: str) -> Test:
        tests = [self._all(field)]
        while self._took("word", "OR"):
            tests.append(self._all(field))
        return lambda row: any(test(row) for test in tests)

    def _all(self, field: str) -> Test:
        tests = [self._one(field)]
        while self._took("word", "AND") or self.tokens[:1] == [("word", "NOT")]:
            tests.append(self._one(field))
        return lambda row: all(test(row) for test in tests)

    def _one(self, field: str) -> Test:
        if self._took("word", "NOT"):
            test = self._one(field)
            return lambda row: not test(row)
        if self._took("mark", "("):
            inner = self.either(field)
            if not self._took("mark", ")"):
                raise BadQuery("a bracket is not closed")
            return inner
        kind, text = self.tokens.pop(0) if self.tokens else ("", "")
        if kind == "word" and self._took("mark", ":"):
            return self._one(text)
        if not field or kind not in ("word", "phrase") or (kind == "word" and text in ("AND", "OR", "NOT")):
            raise BadQuery(text)
        return _term(field, kind, text)

    def _took(self, kind: str, text: str) -> bool:
        if self.tokens[:1] == [(kind, text)]:
            self.tokens.pop(0)
            return True
        return False


def _term(field: str, kind: str, text: str) -> Test:
    begins = kind == "word" and text.endswith("*") and not text.endswith("\\*")
    plain = re.sub(r"\\(.)", r"\1", text[1:-1] if kind == "phrase" else text.removesuffix("*") if begins else text)

    def test(row: Row) -> bool:
        value = row.get(field)
        if value is None:
            return False
        if isinstance(value, bool):
            return plain.lower() in (str(value).lower(), str(int(value)))
        if field in _PHONES:  # the index keeps the digits of a number as one string
            return bool(digits(plain)) and digits(plain) == digits(str(value))
        stored, words = _words(str(value)), _words(plain)
        if begins:
            return bool(words) and any(word.startswith(words[-1]) for word in stored)
        length = len(words)
        return bool(words) and any(stored[start : start + length] == words for start in range(len(stored)))

    return test


def digits(text: str) -> str:
    """The digits of a number as it is written."""
    return re.sub("[^0-9]", "", text)


def _words(text: str) -> list[str]:
    return re.findall(r"[^\s,;]+", text.lower())
