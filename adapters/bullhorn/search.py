"""Queries in Bullhorn's two languages (Lucene for the index, JPQL for the database) and the people they find.

Source: Bullhorn REST API documentation, "search" and "query" calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.contract import (
    Contact,
    HttpClient,
    PhoneNumber,
    RequestRejected,
    UnexpectedResponse,
    dig,
    digits_of,
    require_id,
    rows,
)

#: The default is 20, which would silently drop matches behind a switchboard number; 500 is the cap.
PAGE = 500
_LUCENE_SPECIAL = re.compile(r'([+\-!(){}\[\]^"~*?:\\/&|])')
_LUCENE_WORDS = ("AND", "OR", "NOT")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class PersonKind:
    """One of the three kinds of person: its name on the wire, Bullhorn's entity, and what sets it apart."""

    type: str
    entity: str
    #: Status of records that must not be shown.
    hidden_status: str
    phone_fields: tuple[str, ...]
    #: Dates of which the latest counts as the last activity.
    activity_fields: tuple[str, ...]


_PHONES = ("phone", "mobile", "phone2", "phone3")
#: In the order of the results.
KINDS = (
    PersonKind(
        type="Contact",
        entity="ClientContact",
        # Bullhorn makes a contact with this status for every company it creates.
        hidden_status="Archive",
        phone_fields=_PHONES,
        activity_fields=("dateAdded", "dateLastModified", "dateLastVisit"),
    ),
    PersonKind(
        type="Candidate",
        entity="Candidate",
        hidden_status="Archived",
        phone_fields=(*_PHONES, "workPhone"),  # no other entity has workPhone
        activity_fields=("dateAdded", "dateLastComment", "dateLastModified"),
    ),
    PersonKind(
        type="Lead",
        entity="Lead",
        hidden_status="Converted",
        phone_fields=_PHONES,
        activity_fields=("dateAdded", "dateLastComment", "dateLastModified"),
    ),
)


def kind_of(contact_type: str) -> PersonKind | None:
    """The kind for a contact type of the client, which names the middle one ``Contact``, or for an entity name."""
    return next((kind for kind in KINDS if contact_type in (kind.type, kind.entity)), None)


def escape_term(text: str) -> str:
    """A word for use outside quotes in Lucene."""
    return _LUCENE_SPECIAL.sub(r"\\\1", text)


def phrase(text: str) -> str:
    """A quoted phrase in Lucene; inside one only the quote and the backslash are special."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def jpql_text(text: str) -> str:
    """A text literal in JPQL. Raises ``RequestRejected`` for control characters, which no name holds."""
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise RequestRejected("The Bullhorn user name is not valid.")
    return "'" + text.replace("'", "''") + "'"


def number_forms(phone: PhoneNumber) -> tuple[str, ...]:
    """The ways a number may stand in the index, which keeps a country code or trunk zero as part of the digits."""
    abroad = f"00{digits_of(phone.e164)}" if phone.from_home else ""
    forms = (
        phone.national,
        digits_of(phone.e164),
        digits_of(phone.national_format),  # 020 7946 0106 -> 02079460106
        *phone.endings,
        *map(digits_of, phone.twins),
        digits_of(phone.from_home),  # 011 44 20 7946 0106
        abroad,
        phone.e164,
        phone.national_format,
        phone.international_format,
        *phone.formats,
    )
    return tuple(dict.fromkeys(form for form in forms if form))


def phone_query(kind: PersonKind, phone: PhoneNumber) -> str:
    """All fields and all notations in one query."""
    forms = " OR ".join(phrase(form) for form in number_forms(phone))
    fields = " OR ".join(f"{name}:({forms})" for name in kind.phone_fields)
    return f"({fields}) AND {_shown(kind)}"


def name_query(kind: PersonKind, name: str, *, wide: bool) -> str:
    """People of that name; of several words first and last must both match, unless ``wide``."""
    words = name.split()
    if len(words) == 1:
        parts = [_begins("firstName", words[0]), _begins("lastName", words[0])]
    elif wide:
        parts = [_begins("firstName", words[0]), _begins("lastName", words[-1])]
    else:
        parts = [f"({_begins('firstName', words[0])} AND {_begins('lastName', words[-1])})"]
    return f"({' OR '.join((f'name:{phrase(name)}', *parts))}) AND {_shown(kind)}"


def _shown(kind: PersonKind) -> str:
    # The index holds deleted and archived rows as well.
    return f"isDeleted:false AND NOT status:{phrase(kind.hidden_status)}"


def _begins(field: str, word: str) -> str:
    if word in _LUCENE_WORDS:
        return f"{field}:{phrase(word)}"
    return f"{field}:({phrase(word)} OR {escape_term(word)}*)"


def search(http: HttpClient, kind: PersonKind, query: str) -> list[dict[str, Any]]:
    """The rows that a query finds. Always by POST: the URL may hold 7,500 characters, a query more."""
    fields = dict.fromkeys(("id", "name", "email", "status", "isDeleted", *kind.phone_fields, *kind.activity_fields))
    found = http.post(
        f"search/{kind.entity}",
        params={"fields": ",".join(fields), "count": str(PAGE)},
        json={"query": query},
        read=True,
    )
    return found_rows(found)


def found_rows(reply: Any) -> list[dict[str, Any]]:
    """``data`` of a search or query answer. Raises ``UnexpectedResponse`` when there is none."""
    if not isinstance(reply, dict) or "data" not in reply:
        raise UnexpectedResponse(reason="expected a list of objects at 'data'")
    return rows(reply, "data")


def contact_of(kind: PersonKind, row: Mapping[str, Any], number: str, info: Mapping[str, Any]) -> Contact:
    """A contact as shown to the user."""
    dates = [moment for name in kind.activity_fields if (moment := moment_of(row, name))]
    return Contact(
        id=require_id(row, "id"),
        name=dig(row, "name", str, ""),
        type=kind.type,
        phone=number,
        email=dig(row, "email", str, ""),
        created_at=moment_of(row, "dateAdded"),
        last_activity_at=max(dates, default=None),
        additional_info=info,
    )


def numbers(kind: PersonKind, row: Mapping[str, Any]) -> list[str]:
    """The phone numbers of a row."""
    return [number for name in kind.phone_fields if (number := dig(row, name, str, ""))]


def moment_of(row: Mapping[str, Any], field: str) -> datetime | None:
    """A timestamp, which Bullhorn keeps as milliseconds since the epoch; None when absent, or beyond the calendar."""
    milliseconds = dig(row, field, int, 0)
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds) if milliseconds else None
    except OverflowError:
        return None


def milliseconds_of(moment: datetime) -> int:
    """The reverse: whole milliseconds since the epoch; texts are refused."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def without_repeats(contacts: Iterable[Contact]) -> tuple[Contact, ...]:
    """The contacts, each type and id once."""
    return tuple({(contact.type, contact.id): contact for contact in contacts}.values())
