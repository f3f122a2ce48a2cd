"""Reads the ``responseMapping`` of an operation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.proxy import schema
from adapters.proxy.mistakes import Mistakes

_ROOTS = {"signIn": schema.SIGN_IN_ROOTS, "getUserInfo": schema.USER_INFO_ROOTS}
_ELEMENT = None  # paths start at a list's element


def parse_mapping(name: str, entry: Mapping[str, Any], path: str, mistakes: Mistakes) -> dict[str, Any]:
    """Keys that are given -> path, list of paths, or object of these; as ``schema.MAPPINGS`` says."""
    place = f"{path}.responseMapping"
    kinds = schema.MAPPINGS.get(name, {})
    given = entry.get("responseMapping", {})
    mapping = mistakes.object(given, place, tuple(kinds))
    for key in schema.REQUIRED_MAPPINGS.get(name, ()) if isinstance(given, dict) else ():
        if not mapping.get(key):
            mistakes.add(f"{place}.{key}", "is missing")
    roots = _ROOTS.get(name, schema.ANSWER_ROOTS)
    found = {}
    for key, value in mapping.items():
        if value in ("", None):  # an empty path counts as not given
            continue
        of_element = key in schema.ELEMENT_KEYS.get(name, ())
        found[key] = _read(kinds[key], value, f"{place}.{key}", _ELEMENT if of_element else roots, mistakes)
    if name == "getUserInfo":
        _refuse_secrets(found, place, mistakes)
    item = found.get("item")
    _refuse_whole_paths(found, item if isinstance(item, dict) else {}, f"{place}.item", mistakes)
    row = {key: found[key] for key in schema.ELEMENT_KEYS.get(name, ()) if key in found}
    _refuse_whole_paths(found, row, place, mistakes)
    return found


def _read(kind: str, value: Any, path: str, roots: frozenset[str] | None, mistakes: Mistakes) -> Any:
    match kind:
        case schema.PATH:
            mistakes.check_path(value, path, roots)
            return value
        case schema.PATHS | schema.STARRED:
            paths = value if isinstance(value, list) and value else [value]
            for index, item in enumerate(paths):
                place = f"{path}.{index}" if isinstance(value, list) else path
                mistakes.check_path(item, place, roots, starred=kind == schema.STARRED)
            return paths
        case schema.PATH_MAP:
            members = mistakes.any_object(value, path)
            for key, item in members.items():
                mistakes.check_path(item, f"{path}.{key}", roots)
            return members
        case schema.ITEM:
            return _keys(value, path, schema.ITEM_KEYS, mistakes)
        case schema.CHOICES:
            fields = mistakes.any_object(value, path)
            return {key: _keys(item, f"{path}.{key}", schema.CHOICE_KEYS, mistakes) for key, item in fields.items()}
        case schema.UNIT:
            if value not in schema.UNITS:
                mistakes.add(path, f"must be one of {', '.join(schema.UNITS)}")
            return value
        case schema.SWITCH:
            if not isinstance(value, bool):
                mistakes.add(path, "must be true or false")
            return value
        case _:
            if not isinstance(value, str):
                mistakes.add(path, "must be a text")
            return value


def _keys(value: Any, path: str, kinds: Mapping[str, str], mistakes: Mistakes) -> dict[str, Any]:
    """An object whose paths start at a list's element."""
    members = mistakes.object(value, path, tuple(kinds))
    if kinds is schema.CHOICE_KEYS and isinstance(value, dict) and not members.get("listPath"):
        mistakes.add(f"{path}.listPath", "is missing")
    return {
        key: _read(kinds[key], item, f"{path}.{key}", _ELEMENT, mistakes)
        for key, item in members.items()
        if item not in ("", None)
    }


def _refuse_secrets(mapping: Mapping[str, Any], place: str, mistakes: Mistakes) -> None:
    """What was typed at sign-in as a secret must not be kept among the plain facts about a user."""
    kept = mapping.get("platformAdditionalInfoPaths")
    for key, path in kept.items() if isinstance(kept, dict) else ():
        parts = path.split(".") if isinstance(path, str) else []
        if parts[:1] == ["additionalInfo"] and (len(parts) < 2 or parts[1].lower() in schema.SECRET_FIELDS):
            mistakes.add(f"{place}.platformAdditionalInfoPaths.{key}", "would keep a secret in the open")
        elif path and path == mapping.get("overridingApiKeyPath"):
            mistakes.add(f"{place}.platformAdditionalInfoPaths.{key}", "would keep the key in the open")


def _refuse_whole_paths(mapping: Mapping[str, Any], paths: Mapping[str, Any], place: str, mistakes: Mistakes) -> None:
    """A path of an element that repeats the way to the list would find nothing."""
    table = mapping.get("listPath")
    if not isinstance(table, str) or "." not in table:
        return
    for key, value in paths.items():
        for path in value if isinstance(value, list) else [value]:
            for way in (f"{table}.", f"{table.partition('.')[2]}."):
                if isinstance(path, str) and path.startswith(way):
                    rest = path.removeprefix(way)
                    mistakes.add(f"{place}.{key}", f"begins at an element of '{table}': '{rest}', not '{path}'")
