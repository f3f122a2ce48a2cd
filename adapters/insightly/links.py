"""What an event or a person is linked to: the choices of the forms, and what they mean as links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.contract import (
    ConnectorError,
    ContactRef,
    Dispensable,
    Id,
    LogResult,
    Notice,
    NoticeLevel,
    ReferenceGone,
    RequestRejected,
    dig,
    log_written,
)
from adapters.insightly.people import Kind, kind_of

Link = dict[str, Any]

#: Form field -> the vendor's object name.
OBJECTS = {"organisation": "Organisation", "opportunity": "Opportunity", "project": "Project"}
#: The vendor's object name -> its collection in the API, and the field that holds its name.
COLLECTIONS = {
    "Organisation": ("Organisations", "ORGANISATION_NAME"),
    "Opportunity": ("Opportunities", "OPPORTUNITY_NAME"),
    "Project": ("Projects", "PROJECT_NAME"),
}
#: Links that a person's record names outside its ``LINKS``; the last two are left behind by converting a lead.
_OWN_FIELDS = {
    "ORGANISATION_ID": "Organisation",
    "CONVERTED_ORGANISATION_ID": "Organisation",
    "CONVERTED_OPPORTUNITY_ID": "Opportunity",
}


@dataclass(frozen=True, kw_only=True)
class Move:
    """What has to happen for one form field: a link to add first, then links to remove, by ``LINK_ID``."""

    object_name: str
    add: Link | None
    remove: tuple[Id, ...]


def number(value: Any) -> int:
    """An id as the JSON number it is at the vendor; forms and our own records send it as text.

    Raises ``RequestRejected`` for anything else.
    """
    text = str(value).strip()
    if not (text.isascii() and text.isdigit()):
        raise RequestRejected("This is not an Insightly record.", reason="an id is not a number")
    return int(text)


def chosen(submission: Mapping[str, Any]) -> dict[str, Any]:
    """The form fields that were submitted, an explicit None kept; ``organization`` is read as ``organisation``.

    The message form of published clients spells it with a z, the look-up's choices with an s.
    """
    named = {"organisation" if key == "organization" else key: value for key, value in submission.items()}
    if submission.get("organisation"):
        named["organisation"] = submission["organisation"]
    return {field: named[field] or None for field in OBJECTS if field in named}


def wanted_links(person_type: str, person_id: Id, submission: Mapping[str, Any]) -> list[Link]:
    """``LINKS`` of a new event: the person, whose type counts in any letter case, then what was chosen."""
    kind = kind_of(person_type)
    links = [_link(kind.type, person_id)] if kind else []
    for field, value in chosen(submission).items():
        if value is not None:
            links.append(_link(OBJECTS[field], value))
    return links


def missing_links(record: Any, wanted: Sequence[Link]) -> list[Link]:
    """Those of ``wanted`` that the record does not have."""
    present = {_key(link) for link in _links(record)}
    return [link for link in wanted if _key(link) not in present]


def moves(record: Any, choices: Mapping[str, Any]) -> list[Move]:
    """What turns the links of an event into the choices. A choice that is linked already changes nothing."""
    found = []
    for field, value in choices.items():
        name = OBJECTS[field]
        present = [link for link in _links(record) if _name(link) == name]
        add = None if value is None else _link(name, value)
        if add is not None and _key(add) in map(_key, present):
            continue
        remove = tuple(link["LINK_ID"] for link in present if isinstance(link.get("LINK_ID"), int | str))
        if add or remove:
            found.append(Move(object_name=name, add=add, remove=remove))
    return found


def linked(record: Any) -> list[tuple[str, Id]]:
    """Object name and id of the organisations, opportunities and projects that a person has, each once."""
    found = [(_name(link), link.get("LINK_OBJECT_ID")) for link in _links(record) if _name(link) in COLLECTIONS]
    found += [(name, dig(record, field, int, 0)) for field, name in _OWN_FIELDS.items()]
    return list(
        dict.fromkeys((name, object_id) for name, object_id in found if isinstance(object_id, int) and object_id)
    )


def is_gone(error: ConnectorError) -> bool:
    """Whether a link failed because there is no such record (any more)."""
    return isinstance(error, ReferenceGone)


def written(
    log_id: Id,
    done: str,
    failed: Sequence[tuple[str, ConnectorError]],
    left_out: Sequence[Dispensable] = (),
) -> LogResult:
    """The result of a write whose links may have ``failed``, by object name; what is gone was left out."""
    gone = [name for name, error in failed if is_gone(error)]
    lines = tuple(f"{name}: {error.message}" for name, error in failed if not is_gone(error))
    unlinked = Notice(
        message=f"{done}, but not linked to everything.", level=NoticeLevel.WARNING, ttl=5000, details=lines
    )
    further = [Dispensable(what="contact" if kind_of(name) else name.lower(), without=dict) for name in gone]
    return log_written(log_id, done, [*left_out, *further], crm="Insightly", further=unlinked if lines else None)


def person(record: Any) -> tuple[Kind, Id] | None:
    """The first person among an event's links, whatever else it is linked to."""
    for link in _links(record):
        kind, object_id = kind_of(_name(link)), link.get("LINK_OBJECT_ID")
        if kind and isinstance(object_id, int | str):
            return kind, object_id
    return None


def is_linked_to(record: Any, contact: ContactRef) -> bool:
    """Whether an event is this person's; one that is linked to nobody yet counts as theirs."""
    people = [link for link in _links(record) if kind_of(_name(link))]
    kind = kind_of(contact.type)
    return not people or any(
        _key(link)[1] == str(contact.id) and (kind is None or kind_of(_name(link)) is kind) for link in people
    )


def dispositions(record: Any) -> dict[str, Id]:
    """Form field -> id of the first such link of an event."""
    found: dict[str, Id] = {}
    for link in _links(record):
        field = _name(link).lower()
        if field in OBJECTS and isinstance(link.get("LINK_OBJECT_ID"), int | str):
            found.setdefault(field, link["LINK_OBJECT_ID"])
    return found


def _links(record: Any) -> list[Link]:
    return [link for link in dig(record, "LINKS", list, []) if isinstance(link, dict)]


def _link(name: str, object_id: Id) -> Link:
    return {"LINK_OBJECT_NAME": name, "LINK_OBJECT_ID": number(object_id)}


def _name(link: Link) -> str:
    """The vendor takes object names in any letter case and gives them back capitalised, as far as is known."""
    return str(link.get("LINK_OBJECT_NAME", "")).capitalize()


def _key(link: Link) -> tuple[str, str]:
    return _name(link), str(link.get("LINK_OBJECT_ID", ""))
