"""Contacts: found by number and by name, shown, and created."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from adapters.contract import (
    AccountCache,
    ConnectorError,
    Contact,
    ContactDraft,
    ContactMatches,
    CredentialsRejected,
    DroppedHit,
    HttpClient,
    Id,
    NewContactOffer,
    Notice,
    NoticeLevel,
    PhoneNumber,
    dig,
    digits_of,
    fan_out_outcomes,
    is_deleted,
    last_first,
    natural_name,
    parse_phone,
    readable,
    require_id,
    sort_hits,
)
from adapters.contract.types import Info
from adapters.redtail.categories import Categories, chosen_category
from adapters.redtail.replies import PagedList, full_name, moment_of, number_of

Row = dict[str, Any]

#: Not in the query: page size and what comes along are request headers here. The largest page is not documented.
_HEADERS = {"include": "phones", "pagesize": "200"}
_MOST_PAGES = 5
#: The kind of phone that calls and messages are made with, as older versions wrote it.
_PHONE_TYPE = 6
#: The status of a value that Redtail does not accept; any other refusal says nothing about the form of a number.
_INVALID = 422


def by_phone(http: HttpClient, cache: AccountCache, phone: PhoneNumber) -> ContactMatches:
    """The people with this number; one round, a second only where a search fills more than one page.

    Redtail keeps the country code apart, so the national digits are searched for, never the number with its plus.
    It does not say how it compares punctuation: the user's own formats are asked for as well.
    """
    terms = list(dict.fromkeys((phone.national, *phone.endings, *phone.formats)))
    found, failed, categories = _search(http, cache, [_searched(phone_number=term) for term in terms])
    hits, deleted = _living(found)
    chosen = sort_hits(phone, hits, numbers=_numbers(phone), key=_id)
    shown, dropped = [row for row, _ in chosen.shown], chosen.dropped
    if not shown:  # whose numbers did not come along
        shown = [row for row in hits if not _phones(row)]
        dropped = tuple(hit for hit in dropped if hit.id not in map(_id, shown))
    _no_false_none(shown, failed)
    number, info = phone.e164 or phone.raw, categories.info()
    return ContactMatches(
        contacts=tuple(_contact(row, phone=number, info=info) for row in shown),
        new_contact=NewContactOffer(additional_info=info),
        notice=_incomplete(failed, categories),
        dropped=(*deleted, *dropped),
        by_ending=chosen.by_ending,
    )


def offer(http: HttpClient, cache: AccountCache) -> NewContactOffer:
    """The offer to create a contact, with the categories that are known or can be read."""
    categories = Categories(http, cache)
    outcomes = fan_out_outcomes(lambda read: read(), categories.missing_reads())
    for outcome in outcomes:
        if isinstance(outcome, CredentialsRejected):
            raise outcome
    categories.take(outcomes)
    return NewContactOffer(additional_info=categories.info())


def by_name(http: HttpClient, cache: AccountCache, name: str) -> ContactMatches:
    """The people with this first, last or whole name; Redtail compares all of them in one request."""
    name = " ".join(name.split())
    if not name:
        return ContactMatches()
    found, failed, categories = _search(http, cache, [_searched(name=name)])
    hits, deleted = _living(found)
    _no_false_none(hits, failed)
    info = categories.info()
    return ContactMatches(
        contacts=tuple(_contact(row, phone=_main_number(row), info=info) for row in hits),
        notice=_incomplete(failed, categories),
        dropped=deleted,
    )


def new_contact(draft: ContactDraft) -> Row:
    """The body of a new individual: the last word is the last name, all before it the first. Reads ``Smith, John``."""
    words = draft.name.split()
    first, last = last_first(draft.name) or (" ".join(words[:-1]), words[-1] if words else draft.phone.raw)
    person: Row = {"type": "Crm::Contact::Individual", "last_name": last}
    if first:
        person["first_name"] = first
    if digits := draft.phone.national:
        phone: Row = {"phone_type": _PHONE_TYPE, "number": digits}
        if draft.phone.country_code:
            phone["country_code"] = draft.phone.country_code
        person["phones"] = [phone]
    if (category := chosen_category(draft.submission)) is not None:
        person["category_id"] = category
    return person


def created_contact(row: Mapping[str, Any], draft: ContactDraft, info: Info) -> Contact:
    """The contact as Redtail made it."""
    return Contact(
        id=require_id(row, "id"),
        name=full_name(row) or natural_name(draft.name),
        type="contact",
        phone=draft.phone.e164 or draft.phone.raw,
        additional_info=info,
    )


def _searched(**params: str) -> PagedList:
    return PagedList(path="contacts/search_basic", key="contacts", params=params, headers=_HEADERS)


def _search(
    http: HttpClient, cache: AccountCache, searches: Sequence[PagedList]
) -> tuple[list[Row], list[ConnectorError], Categories]:
    """All hits, the searches that failed, and the categories, asked for in the same round."""
    categories = Categories(http, cache)
    calls: list[Callable[[], Any]] = [partial(search.page, http) for search in searches]
    outcomes = fan_out_outcomes(lambda call: call(), [*calls, *categories.missing_reads()])
    categories.take(outcomes[len(searches) :])
    firsts = outcomes[: len(searches)]
    # A form that Redtail does not take as a number can match nothing; of the digits that would be an error.
    failed = [
        first
        for index, first in enumerate(firsts)
        if isinstance(first, ConnectorError) and not (index and first.status == _INVALID)
    ]
    found: list[Row] = []
    further: list[Callable[[], Any]] = []
    for search, first in zip(searches, firsts, strict=True):
        if not isinstance(first, ConnectorError):
            found += first[0]
            further += [partial(search.page, http, page) for page in range(2, min(first[1], _MOST_PAGES) + 1)]
    for outcome in fan_out_outcomes(lambda call: call(), further):
        if isinstance(outcome, ConnectorError):
            failed.append(outcome)
        else:
            found += outcome[0]
    for error in failed:
        if isinstance(error, CredentialsRejected):
            raise error
    return found, failed, categories


def _no_false_none(shown: Sequence[Row], failed: Sequence[ConnectorError]) -> None:
    if failed and not shown:  # "nobody found" would be untrue
        raise failed[0]


def _incomplete(failed: Sequence[ConnectorError], categories: Categories) -> Notice | None:
    if not failed:
        return categories.notice
    said = Notice(
        message="A part of Redtail's contacts could not be searched, so the list may be incomplete.",
        level=NoticeLevel.WARNING,
        details=tuple(dict.fromkeys(error.message for error in failed)),
    )
    return said.followed_by(categories.notice)


def _living(found: Iterable[Row]) -> tuple[list[Row], tuple[DroppedHit, ...]]:
    """Each contact once, in the vendor's order, without those that were deleted."""
    keyed, unreadable = readable(list(found), lambda row: (require_id(row, "id"), row))
    unique: dict[Id, Row] = {}
    for key, row in keyed:
        unique.setdefault(key, row)
    gone = [key for key, row in unique.items() if is_deleted(row)]
    living = [row for key, row in unique.items() if key not in gone]
    return living, (*unreadable, *(DroppedHit(id=key, reason="was deleted") for key in gone))


def _id(row: Row) -> Id:
    return require_id(row, "id")


def _numbers(phone: PhoneNumber) -> Callable[[Row], list[str]]:
    """The texts of a row that may hold the number: each with the country code that is kept beside it.

    Together they may be no number: then the number holds a country code itself. A short one belongs to no country.
    """

    def numbers(row: Row) -> list[str]:
        found: list[str] = []
        for stored in _phones(row):
            number, country = dig(stored, "number", str, ""), number_of(stored.get("country_code"))
            if not phone.is_valid or not country or number.strip().startswith("+"):
                found.append(number)
                continue
            found.append(f"+{country} {number}")
            if not parse_phone(f"+{country}{digits_of(number)}").is_valid:
                found.append(f"+{number}")
        return found

    return numbers


def _phones(row: Mapping[str, Any]) -> list[Row]:
    return [phone for phone in dig(row, "phones", list, []) if isinstance(phone, dict)]


def _main_number(row: Mapping[str, Any]) -> str:
    """The number a person is best reached at: preferred, else primary, else the first; E.164 where it is one."""
    phones = sorted(
        _phones(row), key=lambda phone: (not phone.get("is_preferred"), not phone.get("is_primary"))
    )  # keeps the vendor's order otherwise
    if not phones:
        return ""
    number, country = dig(phones[0], "number", str, ""), number_of(phones[0].get("country_code"))
    return parse_phone(f"+{country}{digits_of(number)}" if country else number).e164 or number


def _contact(row: Mapping[str, Any], *, phone: str, info: Info) -> Contact:
    return Contact(
        id=require_id(row, "id"),
        name=full_name(row),
        type="contact",
        phone=phone,
        title=dig(row, "job_title", str, ""),
        company=dig(row, "company_name", str, ""),
        created_at=moment_of(row, "created_at"),
        last_activity_at=moment_of(row, "updated_at"),
        additional_info=info,
    )
