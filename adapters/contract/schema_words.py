"""The words in which schemas of the contract are written; ``meaning``: what an editor shows and the docs print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]


def text(meaning: str, **narrower: Any) -> Schema:
    """A text."""
    return {"type": "string", "description": meaning, **narrower}


def switch(meaning: str) -> Schema:
    """True or false."""
    return {"type": "boolean", "description": meaning}


def anything(meaning: str) -> Schema:
    """Any value."""
    return {"description": meaning}


def list_of(meaning: str, items: Schema, **narrower: Any) -> Schema:
    """A list whose entries are all alike."""
    return {"type": "array", "description": meaning, "items": items, **narrower}


def object_with(meaning: str, members: Mapping[str, Schema], *, required: tuple[str, ...] = ()) -> Schema:
    """An object; further members are allowed."""
    return {"type": "object", "description": meaning, "properties": dict(members), "required": list(required)}


def part(name: str) -> Schema:
    """A part of ``DEFINITIONS``, by its name."""
    return {"$ref": f"#/$defs/{name}"}
