"""Searching contacts and leads with what they are linked to, in two rounds of requests."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
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
    PhoneNumber,
    RateLimited,
    RecordNotFound,
    Reply,
    RequestRejected,
    UnexpectedResponse,
    dig,
    fan_out_outcomes,
    is_deleted,
    readable,
    require_id,
    rows,
    sort_hits,
)
from adapters.insightly import people
from adapters.insightly.links import COLLECTIONS, OBJECTS, linked
from adapters.insightly.people import CONTACT, KINDS, LEAD, Kind

#: Numbers whose searches go out together; at 8 starts a second 32 searches take four.
SEARCHES_TOGETHER = 32
#: Names of linked records that are read for one look-up; further ones are shown by their ids.
NAMES_READ = 24
NAME_MAX_AGE = timedelta(minutes=10)
#: How long a person created here may be missing from searches (seconds at the vendor), with ample room.
CREATED_MAX_AGE = timedelta(minutes=2)
#: Set while the day's quota runs low or bursts are refused: numbers are then tried one by one, until one hits.
CAREFUL_KEY = "careful"
CAREFUL_MAX_AGE = timedelta(minutes=15)
#: How often numbers of each notation have hit while groups were asked one after the other.
NOTATIONS_KEY = "notations that hit"
NOTATIONS_MAX_AGE = timedelta(days=7)
_NOTATIONS_KEPT = 20
#: The share of the daily quota below which it counts as low.
_LOW_SHARE = 0.1

Target = tuple[str, Id]


def _notation(number: str) -> str:
    """The way a number is written: ``(###) ###-####``."""
    return re.sub(r"[0-9]", "#", number)


def _with_one_more(hit_by: Mapping[str, int], notation: str) -> dict[str, int]:
    counts = {**hit_by, notation: hit_by.get(notation, 0) + 1}
    return dict(sorted(counts.items(), key=lambda item: -item[1])[:_NOTATIONS_KEPT])


@dataclass(frozen=True, kw_only=True)
class Search:
    """One search request; ``is_extra``: in a field that the user's settings name."""

    kind: Kind
    field: str
    value: str
    is_extra: bool = False


Failure = tuple[Search, ConnectorError]


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A person found; ``phone``: the stored value that matched."""

    kind: Kind
    record: Mapping[str, Any]
    phone: str
    #: Links besides those of the record itself.
    further: tuple[Target, ...] = ()


@dataclass
class Lookup:
    """One look-up: ``search``, then ``contacts``. What went only half well ends up in ``notice``."""

    http: HttpClient
    cache: AccountCache
    #: Names of linked records are kept per user: colleagues may not see the same ones.
    user_id: Id
    notice: Notice | None = None
    dropped: list[DroppedHit] = field(default_factory=list)
    #: Those of which only the last digits of a number are known to match.
    by_ending: list[Id] = field(default_factory=list)

    def search_numbers(
        self, phone: PhoneNumber, numbers: Sequence[str], fields: Sequence[tuple[Kind, str, bool]]
    ) -> list[Hit]:
        """People who have one of these texts in one of ``(kind, field, is_extra)``, by number, then by field.

        All numbers together where they fit, else in groups until one hits, those in the notation that has hit most in
        this account first; nobody is found only after all have been asked. Searches lag behind: somebody created here a
        moment ago whom they do not show yet is read by id.
        """
        careful = self.cache.get(CAREFUL_KEY, max_age=CAREFUL_MAX_AGE) is True
        size = 1 if careful else max(1, SEARCHES_TOGETHER // len(fields))
        is_tight = len(numbers) > size
        hit_by: dict[str, int] = (is_tight and self.cache.get(NOTATIONS_KEY, max_age=NOTATIONS_MAX_AGE)) or {}
        numbers = sorted(numbers, key=lambda number: -hit_by.get(_notation(number), 0))
        hits: list[Hit] = []
        for start in range(0, len(numbers), size):
            searches = [
                Search(kind=kind, field=name, value=number, is_extra=is_extra)
                for number in numbers[start : start + size]
                for kind, name, is_extra in fields
            ]
            hits = self._verified(phone, self.search(searches, careful=careful))
            if hits:
                if is_tight:
                    self.cache.put(NOTATIONS_KEY, _with_one_more(hit_by, _notation(hits[0].phone)))
                break
        return [*hits, *self._verified(phone, self._created_here(phone, hits))]

    def search(self, searches: Sequence[Search], *, careful: bool = False) -> list[Hit]:
        """What the searches found, in their order, each person as often as found.

        Raises ``CredentialsRejected`` at once, and any error when nothing at all was found: an outage is not "nobody".
        Else a search that failed leaves only itself out.
        """
        outcomes = fan_out_outcomes(self._found_by, searches)
        hits: list[Hit] = []
        failed: list[Failure] = []
        lowest = 1.0
        for search, outcome in zip(searches, outcomes, strict=True):
            if isinstance(outcome, ConnectorError):
                failed.append((search, outcome))
                continue
            lowest = min(lowest, _share_left(outcome))
            try:
                hits += self._hits(search, outcome)
            except UnexpectedResponse as error:
                failed.append((search, error))
        is_refused = any(isinstance(error, RateLimited) for _, error in failed)
        if (is_refused or lowest < _LOW_SHARE) != careful:
            self.cache.put(CAREFUL_KEY, not careful)
        self._weigh(failed, asked=searches, is_empty=not hits)
        return hits

    def _hits(self, search: Search, reply: Reply) -> list[Hit]:
        """The people of an answer; deleted ones and bad rows are dropped."""
        keyed, unreadable = readable(rows(reply.body, ""), lambda row: (people.key_of(search.kind, row), row))
        self.dropped += unreadable
        self.dropped += [DroppedHit(id=key[1], reason="was deleted") for key, row in keyed if is_deleted(row)]
        living = [row for _, row in keyed if not is_deleted(row)]
        return [Hit(kind=search.kind, record=row, phone=people.field_value(row, search.field)) for row in living]

    def search_names(self, searches: Sequence[tuple[str, str]], name: str) -> list[Hit]:
        """People found by ``(field, value)`` whose whole name contains the name, letter case aside."""
        asked = [Search(kind=kind, field=field, value=value) for kind in KINDS for field, value in searches]
        return [
            replace(hit, phone=people.first_phone(hit.kind, hit.record))
            for hit in self.search(asked)
            if name.casefold() in people.name_of(hit.record).casefold()
        ]

    def contacts(self, hits: Iterable[Hit]) -> tuple[Contact, ...]:
        """The people, each once, with the names of what they are linked to: one round of reads for all of them.

        A converted lead lives on as a contact, which is shown in its place.
        """
        first: dict[tuple[str, Id], Hit] = {}
        for hit in hits:
            first.setdefault(people.key_of(hit.kind, hit.record), hit)
        unread = {("Contact", new) for hit in first.values() if (new := _converted_to(hit))} - set(first)
        names, converted = self._read(first.values(), unread)
        shown: dict[tuple[str, Id], Hit] = {}
        for key, hit in first.items():
            new = _converted_to(hit)
            if new and ("Contact", new) in first:
                self.dropped.append(DroppedHit(id=key[1], reason="is a lead that became a contact"))
            elif new and new in converted:
                became = Hit(kind=CONTACT, record=converted[new], phone=hit.phone, further=tuple(linked(hit.record)))
                shown.setdefault(("Contact", new), became)
            else:
                shown[key] = hit
        return tuple(_contact(hit, names) for hit in shown.values())

    def _created_here(self, phone: PhoneNumber, hits: Sequence[Hit]) -> list[Hit]:
        """People created here for the number who are not among the hits.

        One who was deleted since, or whom the user may not see, is left out; other failures are told as in ``search``.
        """
        known = {people.key_of(hit.kind, hit.record) for hit in hits}
        created = self.cache.get(created_key(phone), max_age=CREATED_MAX_AGE) or []
        wanted = [(kind, new) for name, new in created if (name, new) not in known and (kind := people.kind_of(name))]
        found: list[Hit] = []
        failed: list[ConnectorError] = []
        for (kind, _), outcome in zip(wanted, fan_out_outcomes(self._person, wanted), strict=True):
            if not isinstance(outcome, ConnectorError):
                found.append(Hit(kind=kind, record=outcome, phone=people.first_phone(kind, outcome)))
            elif isinstance(outcome, CredentialsRejected):
                raise outcome
            elif not isinstance(outcome, RecordNotFound | AccessDenied):
                failed.append(outcome)
        if failed and not hits and not found:
            raise failed[0]
        if failed:
            self._warn("Somebody created a moment ago could not be read from Insightly.", failed[0].message)
        return found

    def _person(self, person: tuple[Kind, Id]) -> Mapping[str, Any]:
        kind, person_id = person
        record: Mapping[str, Any] = self.http.get(f"{kind.path}/{person_id}")
        if require_id(record, kind.id_field) != person_id:
            raise UnexpectedResponse(reason="another record was answered than asked for")
        if is_deleted(record):
            raise RecordNotFound("This record no longer exists in Insightly.")
        return record

    def _found_by(self, search: Search) -> Reply:
        # brief=false: without it neither links nor custom fields come along
        params = {"field_name": search.field, "field_value": search.value, "brief": "false"}
        reply = self.http.send("GET", f"{search.kind.path}/Search", params=params)
        if not reply.is_json:
            raise UnexpectedResponse(reason="the answer is not JSON", status=reply.status)
        return reply

    def _verified(self, phone: PhoneNumber, hits: Sequence[Hit]) -> list[Hit]:
        """The hits whose value is the number: whatever a search returns, no wrong person is shown."""
        chosen = sort_hits(
            phone, hits, numbers=lambda hit: [hit.phone], key=lambda hit: people.key_of(hit.kind, hit.record)[1]
        )
        self.dropped += chosen.dropped
        self.by_ending += chosen.by_ending
        return [replace(hit, phone=match.number) for hit, match in chosen.shown]

    def _weigh(self, failed: Sequence[Failure], *, asked: Sequence[Search], is_empty: bool) -> None:
        for _, error in failed:
            if isinstance(error, CredentialsRejected) or (is_empty and isinstance(error, RateLimited)):
                raise error
        unknown = [item for item in failed if isinstance(item[1], RequestRejected | AccessDenied) and item[0].is_extra]
        denied = [item for item in failed if isinstance(item[1], AccessDenied) and not item[0].is_extra]
        if denied and len(denied) == len([search for search in asked if not search.is_extra]):
            raise denied[0][1]
        serious = [item[1] for item in failed if item not in unknown and item not in denied]
        if serious and is_empty:
            raise serious[0]
        if serious:
            self._warn("Part of Insightly could not be searched, so somebody may be missing.", serious[0].message)
        elif unknown:
            fields = ", ".join(dict.fromkeys(search.field for search, _ in unknown))
            self._warn(f"Insightly does not know the extra phone field {fields}.", "Correct it in Insightly options.")

    def _read(
        self, hits: Iterable[Hit], unread: Iterable[tuple[str, Id]]
    ) -> tuple[dict[Target, str], dict[Id, Mapping[str, Any]]]:
        """Names of everything linked, and the contacts that leads became, all in one round."""
        targets = list(dict.fromkeys(target for hit in hits for target in linked(hit.record)))
        names = {target: kept for target in targets if (kept := self._kept_name(target))}
        unnamed = [target for target in targets if target not in names]
        names.update({target: f"{target[0]} {target[1]}" for target in unnamed[NAMES_READ:]})
        reads = [*unnamed[:NAMES_READ], *unread]
        converted: dict[Id, Mapping[str, Any]] = {}
        for target, outcome in zip(reads, fan_out_outcomes(self._record, reads), strict=True):
            if isinstance(outcome, CredentialsRejected):
                raise outcome
            if isinstance(outcome, ConnectorError):
                # gone, or not for this user's eyes: not worth a warning per call
                if not isinstance(outcome, RecordNotFound | AccessDenied):
                    self._warn("Some linked records could not be read from Insightly.", outcome.message)
            elif target[0] == "Contact":
                converted[target[1]] = outcome
            elif name := dig(outcome, COLLECTIONS[target[0]][1], str, ""):
                names[target] = name
                self.cache.put(self._name_key(target), name)
        return names, converted

    def _record(self, target: Target) -> Any:
        name, record_id = target
        if name == "Contact":
            return self._person((CONTACT, record_id))
        return self.http.get(f"{COLLECTIONS[name][0]}/{record_id}")

    def _kept_name(self, target: Target) -> str:
        kept = self.cache.get(self._name_key(target), max_age=NAME_MAX_AGE)
        return kept if isinstance(kept, str) else ""

    def _name_key(self, target: Target) -> str:
        return name_key(self.user_id, target)

    def _warn(self, message: str, detail: str) -> None:
        notice = Notice(message=message, level=NoticeLevel.WARNING, ttl=5000, details=(detail,))
        if self.notice is None:
            self.notice = notice
        elif message not in (self.notice.message, *self.notice.details):
            self.notice = self.notice.followed_by(notice)


def name_key(user_id: Id, target: Target) -> str:
    """Where the name of a linked record is kept."""
    return f"name:{user_id}:{target[0]}:{target[1]}"


def created_key(phone: PhoneNumber) -> str:
    """Where the people created for a number are remembered for a moment, as ``[type, id]``."""
    return f"created:{phone.e164 or phone.raw}"


def _share_left(reply: Reply) -> float:
    """What is left of the day's quota, 0 to 1; the headers count the day, not the second."""
    try:
        left = int(reply.headers.get("x-ratelimit-remaining", ""))
        return left / int(reply.headers.get("x-ratelimit-limit", ""))
    except (ValueError, ZeroDivisionError):
        return 1.0


def _converted_to(hit: Hit) -> Id:
    """The id of the contact that a lead became; 0: none."""
    is_converted = hit.kind is LEAD and dig(hit.record, "CONVERTED", bool, False)
    return dig(hit.record, "CONVERTED_CONTACT_ID", int, 0) if is_converted else 0


def _contact(hit: Hit, names: Mapping[Target, str]) -> Contact:
    targets = [target for target in dict.fromkeys([*linked(hit.record), *hit.further]) if target in names]
    choices = {
        form_field: tuple(Choice(const=target[1], title=names[target]) for target in targets if target[0] == name)
        for form_field, name in OBJECTS.items()
    }
    company = names.get(("Organisation", dig(hit.record, "ORGANISATION_ID", int, 0)), "")
    return people.contact(
        hit.kind,
        hit.record,
        phone=hit.phone,
        choices={form_field: options for form_field, options in choices.items() if options},  # the form breaks on []
        company=company,
    )
