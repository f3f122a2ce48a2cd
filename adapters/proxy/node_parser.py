"""Reads the templates of a request: address, headers, query, body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from adapters.proxy.mistakes import Mistakes, is_unicode
from adapters.proxy.template import Choose, Html, Number, Template, TemplateError, Text, UrlTemplate, number_of

MOST_DEPTH = 30
_EMPTY = Template(("",))
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//)?([^/]*)(.*)", re.DOTALL)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_MOST_DECIMALS = 6
_HOST = re.compile(r"[A-Za-z0-9.:-]*", re.ASCII)


def deeper_than(value: Any, most: int) -> bool:
    """Whether JSON is nested more than ``most`` levels; it is walked without recursion."""
    level = [value]
    for _ in range(most):
        level = [
            item
            for node in level
            if isinstance(node, dict | list)
            for item in (node.values() if isinstance(node, dict) else node)
        ]
        if not level:
            return False
    return True


def parse_template(text: Any, path: str, mistakes: Mistakes) -> Template:
    if not isinstance(text, str) or not is_unicode(text):
        mistakes.add(path, "must be a text")
        return _EMPTY
    try:
        return Template.parse(text)
    except TemplateError as error:
        mistakes.add(path, str(error))
        return _EMPTY


def parse_url(text: str, path: str, mistakes: Mistakes) -> UrlTemplate:
    """An absolute https address, or a path below the base URL."""
    template = parse_template(text, path, mistakes)
    literal = "".join(template.parts[::2])
    if "?" in literal or "#" in literal:
        mistakes.add(path, "may not hold a query; put it under 'query'")
    if "{" in literal or "}" in literal:
        mistakes.add(path, "has a single brace; a variable has two: '{{thirdPartyLogId}}'")
    if _UNSAFE.search(literal):
        mistakes.add(path, "has a blank, a backslash or a control character")
    if ".." in text.lower().replace("%2e", ".").split("/"):
        mistakes.add(path, "leads upwards")
    match = _ABSOLUTE.fullmatch(text)
    if text.startswith("//"):
        mistakes.add(path, "must begin with https:// or be a path below the base URL")
    elif match and "{" not in match[1]:
        if match[1].lower() != "https" or not match[2]:
            mistakes.add(path, "must begin with https:// or be a path below the base URL")
        else:
            host = parse_template(match[3], path, mistakes)
            if not match[3] or not all(_HOST.fullmatch(part) for part in host.parts[::2]):
                mistakes.add(path, "has a malformed host")
            return UrlTemplate(host=host, path=parse_template(match[4], path, mistakes))
    return UrlTemplate(host=None, path=template)


def header_map(entry: Mapping[str, Any], key: str, path: str, mistakes: Mistakes) -> dict[str, Template]:
    place = f"{path}.{key}"
    found = {}
    for name, text in mistakes.any_object(entry.get(key, {}), place).items():
        mistakes.header_name(name, f"{place}.{name}")
        found[name] = parse_template(text, f"{place}.{name}", mistakes)
        if any(not part.isprintable() or not part.isascii() for part in found[name].parts[::2]):
            mistakes.add(f"{place}.{name}", "has a character that is not allowed in a header")
        if name.lower() == "content-type" and isinstance(text, str) and "json" not in text.lower():
            mistakes.add(f"{place}.{name}", "must be a type of JSON, which every body is sent as; or leave it out")
    return found


def query_map(entry: Mapping[str, Any], key: str, path: str, mistakes: Mistakes) -> dict[str, Any]:
    """Values are templates or objects with ``$number`` and the like; a number or a switch stands for its text."""
    place = f"{path}.{key}"
    found = {}
    for name, value in mistakes.any_object(entry.get(key, {}), place).items():
        if isinstance(value, bool):
            value = str(value).lower()
        elif isinstance(value, int):
            value = str(value)
        if not name or not is_unicode(name):
            mistakes.add(f"{place}.{name}", "is no name of a parameter")
        if isinstance(value, dict) and {"$number", "$text", "$choose"} & set(value):
            found[name] = parse_body(value, f"{place}.{name}", mistakes)
        else:
            found[name] = parse_template(value, f"{place}.{name}", mistakes)
    return found


def parse_body(value: Any, path: str, mistakes: Mistakes) -> Any:
    """JSON with templates in place of its texts; objects with ``$html`` and the like become what they stand for."""
    if isinstance(value, str):
        return parse_template(value, path, mistakes)
    if isinstance(value, list):
        return [parse_body(item, f"{path}.{index}", mistakes) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "$html" in value:
        entry = mistakes.object(value, path, ("$html",))
        return Html(parse_template(entry["$html"], f"{path}.$html", mistakes))
    if "$text" in value:
        entry = mistakes.object(value, path, ("$text",))
        return Text(parse_template(entry["$text"], f"{path}.$text", mistakes))
    if "$number" in value:
        return _number(value, path, mistakes)
    if "$choose" in value:
        return _choose(value, path, mistakes)
    for key in value:
        if key.startswith("$") or not is_unicode(key):
            mistakes.add(f"{path}.{key}", "is not known here; there are $html, $text, $number and $choose")
    return {key: parse_body(item, f"{path}.{key}", mistakes) for key, item in value.items()}


def _number(value: Mapping[str, Any], path: str, mistakes: Mistakes) -> Number:
    entry = mistakes.object(value, path, ("$number", "multiply", "divide", "add", "decimals"))
    template = parse_template(entry["$number"], f"{path}.$number", mistakes)
    if template.paths and not template.is_single:
        mistakes.add(f"{path}.$number", "must be one placeholder and nothing beside it")
    factors = {}
    for key, usual in (("multiply", 1), ("divide", 1), ("add", 0)):
        given = entry.get(key, usual)
        found = number_of(given) if isinstance(given, int | float) and abs(given) < 10**12 else None
        if found is None or (key != "add" and not found):
            mistakes.add(f"{path}.{key}", "must be a number" if key == "add" else "must be a number, not 0")
        factors[key] = found or Fraction(usual)
    decimals = mistakes.whole(entry, "decimals", path, 0, least=0, most=_MOST_DECIMALS)
    return Number(template, **factors, decimals=decimals)


def _choose(value: Mapping[str, Any], path: str, mistakes: Mistakes) -> Any:
    entry = mistakes.object(value, path, ("$choose", "from", "else"))
    table = mistakes.any_object(entry.get("from"), f"{path}.from")
    for place, choice in [*((f"from.{key}", item) for key, item in table.items()), ("else", entry.get("else"))]:
        if isinstance(choice, dict | list) or (isinstance(choice, str) and not is_unicode(choice)):
            mistakes.add(f"{path}.{place}", "must be a text, a number, true, false or null")
    template = parse_template(entry["$choose"], f"{path}.$choose", mistakes)
    if "else" in entry:
        return Choose(template, table, entry["else"])
    return Choose(template, table)
