"""Goes through the templates of a document and takes out the variables that do not exist here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from adapters.proxy.importing.notes import Notes

_PLACEHOLDER = re.compile(r"\{\{([^{}]*)\}\}")
#: Stands for a member whose only value does not exist here.
GONE = object()


def paths_in(node: Any) -> list[str]:
    """The paths of all placeholders in JSON, in order."""
    if isinstance(node, dict):
        return [path for item in node.values() for path in paths_in(item)]
    if isinstance(node, list):
        return [path for item in node for path in paths_in(item)]
    return [path.strip() for path in _PLACEHOLDER.findall(node)] if isinstance(node, str) else []


def with_paths(node: Any, change: Callable[[str], str]) -> Any:
    """The same JSON with another path in place of each."""
    if isinstance(node, dict):
        return {key: with_paths(item, change) for key, item in node.items()}
    if isinstance(node, list):
        return [with_paths(item, change) for item in node]
    if not isinstance(node, str):
        return node
    return _PLACEHOLDER.sub(lambda match: f"{{{{{change(match[1].strip())}}}}}", node)


def without_unknown(node: Any, place: str, is_known: Callable[[str], bool], notes: Notes) -> Any:
    """The same JSON without placeholders that are not known; a member that is nothing else is left out with them."""
    if isinstance(node, dict):
        members = {key: without_unknown(item, f"{place}.{key}", is_known, notes) for key, item in node.items()}
        return {key: item for key, item in members.items() if item is not GONE}
    if isinstance(node, list):
        items = [without_unknown(item, f"{place}.{index}", is_known, notes) for index, item in enumerate(node)]
        return [item for item in items if item is not GONE]
    if not isinstance(node, str):
        return node
    unknown = [path for path in paths_in(node) if not is_known(path)]
    if not unknown:
        return node
    notes.add(place, f"left out {', '.join(f'{{{{{path}}}}}' for path in unknown)}, which there is not here")
    if _PLACEHOLDER.fullmatch(node.strip()):
        return GONE
    return _PLACEHOLDER.sub(lambda match: "" if match[1].strip() in unknown else match[0], node)
