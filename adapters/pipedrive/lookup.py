"""Searching persons with their open deals and leads, in at most two rounds of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from adapters.contract import (
    AccessDenied,
    AccountCache,
    Choice,
    ConnectorError,
    Contact,
    CredentialsRejected,
    DroppedHit,
    HttpClient,
    Id,
    Notice,
    NoticeLevel,
    Pace,
    PhoneNumber,
    UnexpectedResponse,
    dig,
    fan_out,
    fan_out_outcomes,
    is_deleted,
    match_number,
    readable,
    require_id,
    rows,
)
from adapters.pipedrive.replies import is_missing_scope

#: Whether this account's tokens may use itemSearch: where the token reply did not say, and where it said yes.
SCOPE_KEY = "itemSearch"
GRANTED_SCOPE_KEY = "itemSearch:granted"
SCOPE_MAX_AGE = timedelta(days=1)
#: On every plan ten searches in two seconds, whatever else may be sent ("Rate limiting"). Half of that, because a pace
#: counts the requests of one process, and two are usual; a little longer, because some requests take longer to arrive.
SEARCH_PACE = Pace(starts=5, seconds=2.2)
ITEM_PAGE = 100  # the vendor's maximum for itemSearch
LIST_PAGE = 500  # the vendor's maximum for other lists
IDS_PER_REQUEST = 100
MAX_HITS = 500
#: Without itemSearch deals and leads cost two requests per person: for more people the form shows none.
MAX_WITH_LINKS = 25


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One person as the search returned it."""

    id: Id
    name: str
    phones: tuple[str, ...]
    email: str
    company: str


@dataclass(frozen=True, kw_only=True)
class Found:
    """Persons, and what came with them: person id -> choices of the forms."""

    hits: tuple[Hit, ...]
    deals: Mapping[Id, Sequence[Choice]] = field(default_factory=dict)
    leads: Mapping[Id, Sequence[Choice]] = field(default_factory=dict)
    #: Whether deals and leads came along; if not, they are to be asked for per person.
    has_links: bool = False


Search = Callable[[str, str], Found]


class Lookup:
    """One look-up: ``search`` is the first round, ``contacts`` the second."""

    def __init__(self, *, http: HttpClient, cache: AccountCache, scopes: frozenset[str]) -> None:
        """``scopes``: those granted with the token; empty when they are not known."""
        self.http = http
        self.searches = http.paced(SEARCH_PACE, share="search")
        self.cache = cache
        self.scopes = scopes
        self.notice: Notice | None = None
        #: Persons who are not shown: deleted, or rows that cannot be read.
        self.dropped: list[DroppedHit] = []

    def search(self, *terms: str, in_field: str) -> Found:
        """Persons whose ``phone`` or ``name`` holds one of the terms, without repeats, in the vendor's order.

        One ``itemSearch`` where the scope allows it, else ``persons/search``. Where nobody knows, both go out together
        and the answer is remembered for the account, so that there never is a third round.
        """
        if self.scopes and "search:read" not in self.scopes:
            return self._search_each(self._search_persons, terms, in_field)
        key = GRANTED_SCOPE_KEY if self.scopes else SCOPE_KEY
        allowed = self.cache.get(key, max_age=SCOPE_MAX_AGE)
        if allowed is False:
            return self._search_each(self._search_persons, terms, in_field)
        if allowed is None and not self.scopes:
            return self._search_both(terms, in_field)
        try:
            return self._search_each(self._search_items, terms, in_field)
        except AccessDenied as error:
            if not is_missing_scope(error):
                raise
            self.cache.put(key, False)  # other than what was granted, or known of a colleague: a third round, once
            return self._search_each(self._search_persons, terms, in_field)

    def contacts(
        self,
        found: Found,
        hits: Sequence[Hit],
        *,
        phone: PhoneNumber | None = None,
        just_created: Sequence[Id] = (),
    ) -> tuple[Contact, ...]:
        """The contacts for some of the hits; dates, and where they are missing deals and leads, in one round.

        ``just_created``: persons who belong to ``phone`` though the search does not know them yet.
        """
        deals, leads = dict(found.deals), dict(found.leads)
        ids = [hit.id for hit in hits]
        asked: list[tuple[str, Callable[[], Any]]] = [
            ("persons", partial(self._persons, part))
            for part in _parts(list(dict.fromkeys([*ids, *just_created])), IDS_PER_REQUEST)
        ]
        if not found.has_links:
            for person in ids[:MAX_WITH_LINKS]:
                asked.append(("deals", partial(self._deals, person)))
                asked.append(("leads", partial(self._leads, person)))
        persons: dict[Id, Mapping[str, Any]] = {}
        outcomes = fan_out_outcomes(lambda request: request[1](), asked)
        for (kind, _), outcome in zip(asked, outcomes, strict=True):
            if isinstance(outcome, ConnectorError):
                self._note_failure(kind, outcome)
            elif kind == "persons":
                persons.update(outcome)
            else:
                (deals if kind == "deals" else leads)[outcome[0]] = outcome[1]
        deleted = [person for person in persons if is_deleted(persons[person])]
        self.dropped += [DroppedHit(id=person, reason="was deleted") for person in deleted]
        unseen = [persons[person] for person in just_created if person in persons and person not in (*ids, *deleted)]
        created, unreadable = readable(unseen, _hit_of)
        self.dropped += unreadable
        created = [hit for hit in created if phone and any(match_number(phone, text) for text in hit.phones)]
        return tuple(
            Contact(
                id=hit.id,
                name=hit.name,
                type="contact",
                phone=(phone.e164 or phone.raw) if phone else next(iter(hit.phones), ""),
                company=hit.company,
                email=hit.email,
                created_at=_moment(persons.get(hit.id, {}), "add_time"),
                last_activity_at=_moment(persons.get(hit.id, {}), "update_time"),
                additional_info={
                    name: tuple(choices)
                    for name, choices in (("deals", deals.get(hit.id)), ("leads", leads.get(hit.id)))
                    if choices  # the form breaks on an empty list
                },
            )
            for hit in [*hits, *created]
            if hit.id not in deleted
        )

    def _search_each(self, search: Search, terms: Sequence[str], in_field: str) -> Found:
        return _merged(fan_out(lambda term: search(term, in_field), terms))

    def _search_both(self, terms: Sequence[str], in_field: str) -> Found:
        searches = [(search, term) for search in (self._search_items, self._search_persons) for term in terms]
        outcomes = fan_out_outcomes(lambda asked: asked[0](asked[1], in_field), searches)
        items, persons = outcomes[: len(terms)], outcomes[len(terms) :]
        refusal = next((outcome for outcome in items if isinstance(outcome, ConnectorError)), None)
        if refusal is None:
            self.cache.put(SCOPE_KEY, True)
            return _merged(items)
        if isinstance(refusal, AccessDenied) and all(isinstance(outcome, Found) for outcome in persons):
            self.cache.put(SCOPE_KEY, False)
            return _merged(persons)
        raise refusal

    def _search_items(self, term: str, in_field: str) -> Found:
        params: dict[str, Any] = {
            "term": term,
            "item_types": "person",
            "fields": in_field,
            "search_for_related_items": "true",
            "limit": ITEM_PAGE,
        }
        hits: list[Hit] = []
        deals: dict[Id, list[Choice]] = {}
        leads: dict[Id, list[Choice]] = {}
        for page in range(MAX_HITS // ITEM_PAGE):
            try:
                payload = self.searches.get("/api/v2/itemSearch", params=params)
            except ConnectorError as error:
                if not page or isinstance(error, CredentialsRejected):
                    raise
                self._warn("Not all of Pipedrive could be searched, so somebody may be missing.", error)
                break
            hits += self._hits(payload)
            self._keep_related(payload, deals, leads)
            params["cursor"] = dig(payload, "additional_data.next_cursor", str, "")
            if not params["cursor"]:
                break
        return Found(hits=_unique(hits), deals=deals, leads=leads, has_links=True)

    def _search_persons(self, term: str, in_field: str) -> Found:
        params = {"term": term, "fields": in_field, "limit": LIST_PAGE}
        return Found(hits=_unique(self._hits(self.searches.get("/api/v2/persons/search", params=params))))

    def _deals(self, person: Id) -> tuple[Id, list[Choice]]:
        params = {"person_id": person, "status": "open", "limit": LIST_PAGE}
        return person, _choices(self.http.get("/api/v2/deals", params=params))

    def _leads(self, person: Id) -> tuple[Id, list[Choice]]:
        params = {"person_id": person, "limit": LIST_PAGE}
        return person, _choices(self.http.get("/v1/leads", params=params))

    def _persons(self, ids: Sequence[Id]) -> dict[Id, Mapping[str, Any]]:
        params = {"ids": ",".join(map(str, ids)), "limit": IDS_PER_REQUEST}
        payload = self.http.get("/api/v2/persons", params=params)
        return {require_id(row, "id"): row for row in rows(payload, "data")}

    def _note_failure(self, kind: str, error: ConnectorError) -> None:
        """One part that fails leaves only itself out; a refused login concerns everything."""
        if isinstance(error, CredentialsRejected):
            raise error
        # Tokens older than the leads scope get 403 until the app is installed anew: not worth a warning per call.
        if isinstance(error, AccessDenied) and is_missing_scope(error):
            return
        what = "details" if kind == "persons" else kind
        self._warn(f"The {what} of some contacts could not be read from Pipedrive.", error)

    def _warn(self, message: str, error: ConnectorError) -> None:
        notice = Notice(message=message, level=NoticeLevel.WARNING, details=(error.message,))
        if self.notice is None:
            self.notice = notice
        elif message not in (self.notice.message, *self.notice.details):
            self.notice = self.notice.followed_by(notice)

    def _keep_related(self, payload: Any, deals: dict[Id, list[Choice]], leads: dict[Id, list[Choice]]) -> None:
        """Adds what came with the persons; what of it cannot be read is missing."""
        try:
            for row in _related(payload):
                _keep_related(row, deals, leads)
        except UnexpectedResponse as error:
            self._note_failure("deals or leads", error)

    def _hits(self, payload: Any) -> list[Hit]:
        """The persons of a search's answer; deleted ones and bad rows are dropped."""
        found, unreadable = readable(rows(payload, "data.items"), _hit)
        deleted = [hit.id for hit, is_gone in found if is_gone]
        self.dropped += [*unreadable, *(DroppedHit(id=person, reason="was deleted") for person in deleted)]
        return [hit for hit, is_gone in found if not is_gone]


def _hit_of(person: Mapping[str, Any]) -> Hit:
    """A person's record in the shape of a search's row."""
    return Hit(
        id=require_id(person, "id"),
        name=dig(person, "name", str, ""),
        phones=tuple(dig(row, "value", str, "") for row in rows(person, "phones")),
        email=dig(person, "emails.0.value", str, ""),
        company="",
    )


def _hit(row: Mapping[str, Any]) -> tuple[Hit, bool]:
    """A person of a search, and whether they were deleted."""
    hit = Hit(
        id=require_id(row, "item.id"),
        name=dig(row, "item.name", str, ""),
        phones=tuple(text for text in dig(row, "item.phones", list, []) if isinstance(text, str)),
        email=dig(row, "item.emails.0", str, ""),
        company=dig(row, "item.organization.name", str, ""),
    )
    return hit, is_deleted(row.get("item"))


def _merged(outcomes: Iterable[Found | ConnectorError]) -> Found:
    founds = [outcome for outcome in outcomes if isinstance(outcome, Found)]
    return Found(
        hits=_unique(hit for found in founds for hit in found.hits),
        deals={person: choices for found in founds for person, choices in found.deals.items()},
        leads={person: choices for found in founds for person, choices in found.leads.items()},
        has_links=all(found.has_links for found in founds),
    )


def _unique(hits: Iterable[Hit]) -> tuple[Hit, ...]:
    first: dict[Id, Hit] = {}
    for hit in hits:
        first.setdefault(hit.id, hit)
    return tuple(first.values())


def _related(payload: Any) -> list[dict[str, Any]]:
    return rows(payload, "data.related_items") if "related_items" in dig(payload, "data", dict, {}) else []


def _keep_related(row: Mapping[str, Any], deals: dict[Id, list[Choice]], leads: dict[Id, list[Choice]]) -> None:
    kind = dig(row, "item.type", str, "")
    if dig(row, "item.is_archived", bool, False) or is_deleted(row.get("item")) or kind not in ("deal", "lead"):
        return
    if kind == "deal" and dig(row, "item.status", str, "") != "open":
        return
    choice = Choice(const=require_id(row, "item.id"), title=dig(row, "item.title", str, ""))
    (deals if kind == "deal" else leads).setdefault(require_id(row, "item.person.id"), []).append(choice)


def _choices(payload: Any) -> list[Choice]:
    return [
        Choice(const=require_id(row, "id"), title=dig(row, "title", str, ""))
        for row in rows(payload, "data")
        if not is_deleted(row)
    ]


def _moment(row: Mapping[str, Any], key: str) -> datetime | None:
    """A time of a person; None where there is none, or what is there is not one."""
    try:
        moment = datetime.fromisoformat(dig(row, key, str, ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _parts(ids: Sequence[Id], size: int) -> list[Sequence[Id]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]
