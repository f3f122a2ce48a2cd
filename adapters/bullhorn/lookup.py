"""Looking people up by number and by name: all kinds at once, and the choices for forms in the same round."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from adapters.bullhorn import search
from adapters.bullhorn.account_data import ACTIONS, AccountLists
from adapters.contract import (
    AccessDenied,
    AccountCache,
    ConnectorError,
    Contact,
    ContactMatches,
    CredentialsRejected,
    DroppedHit,
    HttpClient,
    NewContactOffer,
    Notice,
    NoticeLevel,
    PhoneNumber,
    fan_out_outcomes,
    is_deleted,
    readable,
    require_id,
    sort_hits,
)

Found = tuple[search.PersonKind, dict[str, Any]]


def by_phone(http: HttpClient, cache: AccountCache, phone: PhoneNumber) -> ContactMatches:
    """People with this number; where there are none, the offer to create one."""
    lists = AccountLists(http, cache)
    searches = [_search_call(http, kind, search.phone_query(kind, phone)) for kind in search.KINDS]
    outcomes = fan_out_outcomes(lambda call: call(), [*searches, *lists.missing_reads()])
    found, failed = _answered(outcomes[: len(searches)])
    found, dropped = _living(found)
    lists.take(outcomes[len(searches) :])
    info = lists.contact_info()
    chosen = sort_hits(phone, found, numbers=lambda hit: search.numbers(*hit), key=lambda hit: require_id(hit[1], "id"))
    contacts = search.without_repeats(
        search.contact_of(kind, row, match.number, info) for (kind, row), match in chosen.shown
    )
    _no_false_none(contacts, failed)
    return ContactMatches(
        contacts=contacts,
        new_contact=None if contacts else _offer(lists),
        notice=_incomplete(failed, lists),
        dropped=(*dropped, *chosen.dropped),
        by_ending=chosen.by_ending,
    )


def offer(http: HttpClient, cache: AccountCache) -> NewContactOffer:
    """The offer to create a contact; choices that cannot be read are left out, but a login that is over is told."""
    lists = AccountLists(http, cache)
    outcomes = fan_out_outcomes(lambda read: read(), lists.missing_reads())
    for outcome in outcomes:
        if isinstance(outcome, CredentialsRejected):
            raise outcome
    lists.take(outcomes)
    return _offer(lists)


def _offer(lists: AccountLists) -> NewContactOffer:
    return NewContactOffer(additional_info=lists.offer_info(), default_type="Lead")


def by_name(http: HttpClient, cache: AccountCache, name: str) -> ContactMatches:
    """People with this name, without dates of activity, which a name search does not show."""
    lists = AccountLists(http, cache)
    name = " ".join(name.split())
    if not name:
        return ContactMatches()
    searches = [_search_call(http, kind, search.name_query(kind, name, wide=False)) for kind in search.KINDS]
    outcomes = fan_out_outcomes(lambda call: call(), [*searches, *lists.missing_reads((ACTIONS,))])
    found, failed = _answered(outcomes[: len(searches)])
    found, dropped = _living(found)
    lists.take(outcomes[len(searches) :])
    if not found and " " in name and all(isinstance(error, AccessDenied) for _, error in failed):
        wider = [_search_call(http, kind, search.name_query(kind, name, wide=True)) for kind in search.KINDS]
        found, failed = _answered(fan_out_outcomes(lambda call: call(), wider))
        found, dropped = _living(found)
    info = lists.contact_info()
    contacts = search.without_repeats(
        search.contact_of(kind, row, next(iter(search.numbers(kind, row)), ""), info) for kind, row in found
    )
    _no_false_none(contacts, failed)
    return ContactMatches(
        contacts=tuple(replace(contact, last_activity_at=None) for contact in contacts),
        notice=_incomplete(failed, lists),
        dropped=dropped,
    )


def _living(found: Sequence[Found]) -> tuple[list[Found], tuple[DroppedHit, ...]]:
    """The hits that can be shown, and the others: deleted ones, which the index lists for a while, and bad rows."""
    keyed, unreadable = readable(found, lambda hit: (require_id(hit[1], "id"), hit))
    deleted = [DroppedHit(id=key, reason="was deleted") for key, hit in keyed if is_deleted(hit[1])]
    return [hit for _, hit in keyed if not is_deleted(hit[1])], (*unreadable, *deleted)


def _answered(
    outcomes: Sequence[Any],
) -> tuple[list[Found], list[tuple[search.PersonKind, ConnectorError]]]:
    """Rows and failures by kind. Raises where nothing was answered, or the session is over."""
    pairs = list(zip(search.KINDS, outcomes, strict=True))
    failed = [(kind, outcome) for kind, outcome in pairs if isinstance(outcome, ConnectorError)]
    for _, error in failed:
        if isinstance(error, CredentialsRejected) or len(failed) == len(pairs):
            raise error
    return [(kind, row) for kind, rows_ in pairs if isinstance(rows_, list) for row in rows_], failed


def _search_call(http: HttpClient, kind: search.PersonKind, query: str) -> Callable[[], Any]:
    return lambda: search.search(http, kind, query)


def _incomplete(failed: Iterable[tuple[search.PersonKind, ConnectorError]], lists: AccountLists) -> Notice | None:
    lines = tuple(f"{kind.type}: {error.message}" for kind, error in failed)
    if not lines:
        return lists.notice
    message = "Some Bullhorn records could not be searched, so the list may be incomplete."
    return Notice(message=message, level=NoticeLevel.WARNING, details=lines).followed_by(lists.notice)


def _no_false_none(contacts: Sequence[Contact], failed: Sequence[tuple[search.PersonKind, ConnectorError]]) -> None:
    """ "Nobody found" would be untrue after an outage; a kind the user may never see is none of their contacts."""
    for _, error in failed:
        if not contacts and not isinstance(error, AccessDenied):
            raise error
