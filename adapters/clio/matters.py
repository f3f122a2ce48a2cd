"""Contacts of Clio, and the matters that a log about each of them can be filed under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from adapters.clio import replies
from adapters.contract import (
    AccessDenied,
    AccountCache,
    Choice,
    ConnectorError,
    Contact,
    DroppedHit,
    HttpClient,
    Id,
    Notice,
    NoticeLevel,
    Options,
    PhoneNumber,
    RecordNotFound,
    Reply,
    dig,
    fan_out,
    fan_out_outcomes,
    match_number,
    require,
    require_id,
    sort_hits,
)
from adapters.contract.types import Info

BILLABLE_STATUS = (
    Choice(const="billable", title="Billable"),
    Choice(const="non-billable", title="Non-billable"),
)
#: Two requests per contact: more would use up the minute's 50 on one look-up.
MOST_CONTACTS = 20
#: Requests left in the minute below which variants are searched one by one.
_FEW_LEFT = 10
_WINDOW = timedelta(seconds=60)
_PHONE_FIELDS = "type,id,name,created_at,updated_at,phone_numbers{number}"
_NAME_FIELDS = "id,name,type,created_at,updated_at,primary_email_address,primary_phone_number"
_MATTER_FIELDS = "id,display_number,description,status"


def form_info(options: Options, matters: Sequence[Choice] = ()) -> Info:
    """``additionalInfo`` of a contact. ``billableStatus`` is always there: the form fails without it."""
    info: dict[str, Any] = {"logTimeEntry": options.flag("clioDefaultTimeEntryTick", True)}
    if matters:  # an empty list makes the form fail
        info["matters"] = tuple(matters)
    return {**info, "billableStatus": BILLABLE_STATUS}


def new_contact_info() -> Info:
    """``additionalInfo`` of the "Create new contact..." row."""
    return {"logTimeEntry": True, "billableStatus": BILLABLE_STATUS}


@dataclass(frozen=True, kw_only=True)
class Found:
    """Contacts with their matters; ``notice`` says what could not be read."""

    contacts: tuple[Contact, ...] = ()
    dropped: tuple[DroppedHit, ...] = ()
    #: Those of which only the last digits of a number are known to match.
    by_ending: tuple[Id, ...] = ()
    notice: Notice | None = None


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """One look-up: a round of searches, then a round for the matters of all contacts found."""

    http: HttpClient
    hostname: str
    options: Options
    cache: AccountCache
    #: The limit counts per access token, so what is left of it is remembered per user.
    user_id: Id

    def by_phone(self, phone: PhoneNumber) -> Found:
        """Contacts that really have the number: Clio also searches names, notes and custom fields for it."""
        asked = phone.e164 or phone.raw
        variants = list(dict.fromkeys((asked, *phone.twins, *phone.formats)))
        hits: dict[Id, Mapping[str, Any]] = {}
        for row in self._search(variants, phone):
            hits.setdefault(require_id(row, "id"), row)
        chosen = sort_hits(phone, hits.values(), numbers=_numbers, key=lambda row: require_id(row, "id"))
        contacts = [_contact(row, phone=asked) for row, _ in chosen.shown]
        found = self._with_matters(contacts[:MOST_CONTACTS], show_status=True)
        reason = f"only the first {MOST_CONTACTS} contacts are shown"
        left_out = tuple(DroppedHit(id=contact.id, reason=reason) for contact in contacts[MOST_CONTACTS:])
        return replace(found, dropped=(*chosen.dropped, *left_out), by_ending=chosen.by_ending)

    def by_name(self, name: str) -> Found:
        """Contacts with that name, those with an e-mail address first."""
        payload = self.http.get("contacts.json", params={"query": name, "fields": _NAME_FIELDS})
        contacts = [
            _contact(row, phone=dig(row, "primary_phone_number", str, "")) for row in replies.data_rows(payload)
        ]
        contacts.sort(key=lambda contact: not contact.email)
        found = self._with_matters(contacts[:MOST_CONTACTS], show_status=False)
        if len(contacts) > MOST_CONTACTS and not found.notice:
            message = f"Only the first {MOST_CONTACTS} contacts are shown. Enter more of the name."
            return replace(found, notice=Notice(message=message, level=NoticeLevel.WARNING))
        return found

    def _search(self, variants: Sequence[str], phone: PhoneNumber) -> list[dict[str, Any]]:
        key = f"requests-left-{self.user_id}"
        if self.cache.get(key, max_age=_WINDOW) is None:
            answers = fan_out(self._search_one, variants)
        else:
            answers = []
            for variant in variants:
                answers.append(self._search_one(variant))
                found = replies.data_rows(answers[-1].body)
                if any(match_number(phone, text) for row in found for text in _numbers(row)):
                    break
        left = min((left for answer in answers if (left := _requests_left(answer)) is not None), default=_FEW_LEFT)
        if left < _FEW_LEFT:
            self.cache.put(key, left)
        return [row for answer in answers for row in replies.data_rows(answer.body)]

    def _search_one(self, variant: str) -> Reply:
        return self.http.send("GET", "contacts.json", params={"query": variant, "fields": _PHONE_FIELDS})

    def _with_matters(self, contacts: Sequence[Contact], *, show_status: bool) -> Found:
        """The contacts with the matters they are client of, then those they are related to, each once."""
        reads = [(read, contact.id) for contact in contacts for read in (self._client_matters, self._related_matters)]
        outcomes = fan_out_outcomes(lambda item: item[0](item[1]), reads)
        unread = False
        enriched = []
        for index, contact in enumerate(contacts):
            matters: dict[Id, Choice] = {}
            for outcome in outcomes[2 * index : 2 * index + 2]:
                if isinstance(outcome, AccessDenied | RecordNotFound):
                    unread = True
                elif isinstance(outcome, ConnectorError):
                    raise outcome
                else:
                    for choice in self._choices(outcome, show_status=show_status):
                        matters.setdefault(choice.const, choice)
            info = form_info(self.options, tuple(matters.values()))
            enriched.append(replace(contact, additional_info=info))
        notice = (
            Notice(message="Not all matters could be read from Clio.", level=NoticeLevel.WARNING) if unread else None
        )
        return Found(contacts=tuple(enriched), notice=notice)

    def _client_matters(self, contact_id: Id) -> list[dict[str, Any]]:
        params: dict[str, Any] = {"client_id": contact_id, "fields": _MATTER_FIELDS}
        if not self._shows_closed():
            params["status"] = "open,pending"
        return replies.all_rows(self.http, self.hostname, "matters.json", params)

    def _related_matters(self, contact_id: Id) -> list[dict[str, Any]]:
        params = {"contact_id": contact_id, "fields": f"matter{{{_MATTER_FIELDS}}}"}
        found = replies.all_rows(self.http, self.hostname, "relationships.json", params)
        # null where the user may not see the matter
        return [matter for row in found if (matter := dig(row, "matter", dict, {}))]

    def _choices(self, matters: Iterable[Mapping[str, Any]], *, show_status: bool) -> Iterable[Choice]:
        for matter in matters:
            status = dig(matter, "status", str, "")
            if status.lower() == "closed" and not self._shows_closed():
                continue
            description = dig(matter, "description", str, "")
            yield Choice(
                const=require_id(matter, "id"),
                title=dig(matter, "display_number", str, ""),
                description=f"{status} - {description}" if show_status else description,
                extra={"status": status},
            )

    def _shows_closed(self) -> bool:
        return self.options.flag("clioSeeClosedMatters")


def _numbers(row: Mapping[str, Any]) -> list[str]:
    return [dig(number, "number", str, "") for number in dig(row, "phone_numbers", list, [])]


def _requests_left(reply: Reply) -> int | None:
    text = reply.headers.get("x-ratelimit-remaining", "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _contact(row: Mapping[str, Any], *, phone: str) -> Contact:
    return Contact(
        id=require_id(row, "id"),
        name=dig(row, "name", str, ""),
        type=require(row, "type", str),
        phone=phone,
        email=dig(row, "primary_email_address", str, ""),
        created_at=replies.moment_of(dig(row, "created_at", str, "")),
        last_activity_at=replies.moment_of(dig(row, "updated_at", str, "")),
    )
