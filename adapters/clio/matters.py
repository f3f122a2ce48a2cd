"""Contacts of Clio, and the matters that a log about each of them can be filed under."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from adapters.clio import replies
from adapters.contract import (
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
    Options,
    PhoneNumber,
    Reply,
    UnexpectedResponse,
    dig,
    fan_out,
    fan_out_outcomes,
    is_deleted,
    match_number,
    readable,
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
        found, failed = self._search(list(dict.fromkeys((asked, *phone.twins, *phone.formats))), phone)
        hits, dropped = _living(found)
        chosen = sort_hits(phone, hits.values(), numbers=_numbers, key=lambda row: require_id(row, "id"))
        if failed and not chosen.shown:  # "nobody" would be untrue
            raise failed[0]
        contacts, unreadable = readable([row for row, _ in chosen.shown], lambda row: _contact(row, phone=asked))
        shown = self._with_matters(contacts[:MOST_CONTACTS], show_status=True)
        reason = f"only the first {MOST_CONTACTS} contacts are shown"
        left_out = [DroppedHit(id=contact.id, reason=reason) for contact in contacts[MOST_CONTACTS:]]
        notice = shown.notice
        if failed:
            message = "A part of Clio could not be searched, so the list may be incomplete."
            said = Notice(message=message, level=NoticeLevel.WARNING, details=(failed[0].message,))
            notice = said.followed_by(notice)
        return replace(
            shown,
            dropped=(*dropped, *chosen.dropped, *unreadable, *left_out),
            by_ending=chosen.by_ending,
            notice=notice,
        )

    def by_name(self, name: str) -> Found:
        """Contacts with that name, those with an e-mail address first."""
        payload = self.http.get("contacts.json", params={"query": name, "fields": _NAME_FIELDS})
        hits, dropped = _living(replies.data_rows(payload))
        contacts, unreadable = readable(
            list(hits.values()), lambda row: _contact(row, phone=dig(row, "primary_phone_number", str, ""))
        )
        contacts.sort(key=lambda contact: not contact.email)
        found = self._with_matters(contacts[:MOST_CONTACTS], show_status=False)
        found = replace(found, dropped=(*dropped, *unreadable))
        if len(contacts) > MOST_CONTACTS and not found.notice:
            message = f"Only the first {MOST_CONTACTS} contacts are shown. Enter more of the name."
            return replace(found, notice=Notice(message=message, level=NoticeLevel.WARNING))
        return found

    def _search(self, variants: Sequence[str], phone: PhoneNumber) -> tuple[list[dict[str, Any]], list[ConnectorError]]:
        """What the searches found, and the errors of those that failed. Raises ``CredentialsRejected``."""
        key = f"requests-left-{self.user_id}"
        outcomes: list[tuple[Reply, list[dict[str, Any]]] | ConnectorError]
        if self.cache.get(key, max_age=_WINDOW) is None:
            outcomes = fan_out_outcomes(self._search_one, variants)
        else:
            outcomes = []
            for variant in variants:
                outcomes += fan_out_outcomes(self._search_one, [variant])
                last = outcomes[-1]
                if isinstance(last, ConnectorError) or _is_among(phone, last[1]):
                    break
        failed = [outcome for outcome in outcomes if isinstance(outcome, ConnectorError)]
        for error in failed:
            if isinstance(error, CredentialsRejected):
                raise error
        answers = [outcome for outcome in outcomes if not isinstance(outcome, ConnectorError)]
        left = min((left for reply, _ in answers if (left := _requests_left(reply)) is not None), default=_FEW_LEFT)
        if left < _FEW_LEFT:
            self.cache.put(key, left)
        return [row for _, found in answers for row in found], failed

    def _search_one(self, variant: str) -> tuple[Reply, list[dict[str, Any]]]:
        reply = self.http.send("GET", "contacts.json", params={"query": variant, "fields": _PHONE_FIELDS})
        return reply, replies.data_rows(reply.body)

    def _with_matters(self, contacts: Sequence[Contact], *, show_status: bool) -> Found:
        """The contacts with the matters they are client of, then those they are related to, each once.

        Matters that cannot be read are missing, and a notice says so: only a login that ended hides the contacts.
        """
        reads = [(read, contact.id) for contact in contacts for read in (self._client_matters, self._related_matters)]
        outcomes = fan_out(lambda item: item[0](item[1]), reads)
        are_all = True
        enriched = []
        for index, contact in enumerate(contacts):
            matters: dict[Id, Choice] = {}
            for rows, is_whole in outcomes[2 * index : 2 * index + 2]:
                are_all = are_all and is_whole
                for row in rows:
                    try:
                        choice = self._choice(row, show_status=show_status)
                    except UnexpectedResponse:
                        are_all = False
                    else:
                        matters |= {choice.const: choice} if choice and choice.const not in matters else {}
            info = form_info(self.options, tuple(matters.values()))
            enriched.append(replace(contact, additional_info=info))
        unread = Notice(message="Not all matters could be read from Clio.", level=NoticeLevel.WARNING)
        return Found(contacts=tuple(enriched), notice=None if are_all else unread)

    def _client_matters(self, contact_id: Id) -> tuple[list[dict[str, Any]], bool]:
        params: dict[str, Any] = {"client_id": contact_id, "fields": _MATTER_FIELDS}
        if not self._shows_closed():
            params["status"] = "open,pending"
        return replies.readable_rows(self.http, self.hostname, "matters.json", params)

    def _related_matters(self, contact_id: Id) -> tuple[list[dict[str, Any]], bool]:
        params = {"contact_id": contact_id, "fields": f"matter{{{_MATTER_FIELDS}}}"}
        found, is_whole = replies.readable_rows(self.http, self.hostname, "relationships.json", params)
        # null where the user may not see the matter
        return [matter for row in found if (matter := dig(row, "matter", dict, {}))], is_whole

    def _choice(self, matter: Mapping[str, Any], *, show_status: bool) -> Choice | None:
        """The choice of a form; None for a matter that is not shown."""
        status = dig(matter, "status", str, "")
        if is_deleted(matter) or (status.lower() == "closed" and not self._shows_closed()):
            return None
        description = dig(matter, "description", str, "")
        return Choice(
            const=require_id(matter, "id"),
            title=dig(matter, "display_number", str, ""),
            description=f"{status} - {description}" if show_status else description,
            extra={"status": status},
        )

    def _shows_closed(self) -> bool:
        return self.options.flag("clioSeeClosedMatters")


def _living(found: Sequence[Mapping[str, Any]]) -> tuple[dict[Id, Mapping[str, Any]], list[DroppedHit]]:
    """Each contact once, without deleted ones and rows that cannot be read; and these."""
    readables, unreadable = readable(found, lambda row: (require_id(row, "id"), row))
    hits: dict[Id, Mapping[str, Any]] = {}
    dropped = list(unreadable)
    for key, row in readables:
        if not is_deleted(row):
            hits.setdefault(key, row)
        else:
            dropped.append(DroppedHit(id=key, reason="was deleted"))
    return hits, dropped


def _numbers(row: Mapping[str, Any]) -> list[str]:
    return [dig(number, "number", str, "") for number in dig(row, "phone_numbers", list, [])]


def _is_among(phone: PhoneNumber, found: Sequence[Mapping[str, Any]]) -> bool:
    return any(match_number(phone, text) for row in found for text in _numbers(row))


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
