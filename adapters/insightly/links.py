"""What an event or a person is linked to: the choices of the forms, and what they mean as links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.contract import Id, dig, rows

#: Form field -> the vendor's object name.
OBJECTS = {"organisation": "Organisation", "opportunity": "Opportunity", "project": "Project"}


def chosen(submission: Mapping[str, Any]) -> dict[str, Any]:
    """The form fields that were submitted, an explicit None kept; ``organization`` is read as ``organisation``.

    The message form of published clients spells it with a z, the look-up's choices with an s.
    """
    named = {"organisation" if key == "organization" else key: value for key, value in submission.items()}
    if submission.get("organisation"):
        named["organisation"] = submission["organisation"]
    return {field: named[field] or None for field in OBJECTS if field in named}


def wanted_links(person_type: str, person_id: Id, submission: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``LINKS`` of a new event: the person, whose type counts in any letter case, then what was chosen."""
    name = {"contact": "Contact", "lead": "Lead"}.get(person_type.lower())
    links = [{"LINK_OBJECT_NAME": name, "LINK_OBJECT_ID": _number(person_id)}] if name else []
    for field, value in chosen(submission).items():
        if value is not None:
            links.append({"LINK_OBJECT_NAME": OBJECTS[field], "LINK_OBJECT_ID": _number(value)})
    return links


def missing_links(record: Any, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of ``wanted`` that the record does not have."""
    present = {_key(link) for link in rows(record, "LINKS")} if dig(record, "LINKS", list, []) else set()
    return [link for link in wanted if _key(link) not in present]


def _key(link: Mapping[str, Any]) -> tuple[str, str]:
    return str(link.get("LINK_OBJECT_NAME", "")).lower(), str(link.get("LINK_OBJECT_ID", ""))


def _number(value: Id) -> Id:
    """Ids are numbers at the vendor; forms send them as text."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else value
