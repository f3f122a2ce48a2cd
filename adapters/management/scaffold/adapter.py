"""The adapter of ScaffoldCRM. Its requests are a guess at a plain JSON API: put the vendor's own in their place.

What a finished adapter lists here is what surprised its author: ids that change their type, searches that find too
much, statuses that mean something else. Above each request stands the vendor's page that documents it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from adapters.contract import (
    CallLogChange,
    CallLogEntry,
    Contact,
    ContactDraft,
    ContactMatches,
    Credentials,
    CredentialsRejected,
    CrmAdapter,
    LoggedCall,
    LoginForm,
    LogRef,
    LogResult,
    MessageLogChange,
    MessageLogEntry,
    NewContactOffer,
    PhoneNumber,
    UserProfile,
    dig,
    precondition,
    require,
    require_id,
    rows,
    sort_hits,
)


class Adapter(CrmAdapter):
    """Translates Switchboard's operations into requests to ScaffoldCRM."""

    # --- login and logout --------------------------------------------------------------------------

    def login(self, form: LoginForm) -> Credentials:
        """The key is the credential; it travels as a bearer token. Whether it is good shows ``user_profile``."""
        key = str(form.fields.get("apiKey") or "").strip()
        if not key:
            raise CredentialsRejected("Please enter an API key.")
        return Credentials(access_token=key)

    def user_profile(self) -> UserProfile:
        reply = self.http.get("me")
        return UserProfile(
            id=require_id(reply, "id"),
            name=require(reply, "name", str),
            timezone=dig(reply, "time_zone", str, ""),
            account_id=dig(reply, "company_id", str, ""),
        )

    def revoke(self) -> None:
        """An API key belongs to its owner: there is no request that ends it."""

    # --- contacts ----------------------------------------------------------------------------------

    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        """Each hit is compared with the number here: searches by digits find numbers of other areas as well."""
        found = rows(self.http.get("contacts", params={"phone": phone.e164 or phone.national}), "contacts")
        chosen = sort_hits(
            phone, found, numbers=lambda row: [dig(row, "phone", str, "")], key=lambda row: require_id(row, "id")
        )
        return ContactMatches(
            contacts=tuple(_contact(row) for row, _ in chosen.shown),
            new_contact=NewContactOffer(),
            dropped=chosen.dropped,
            by_ending=chosen.by_ending,
        )

    def create_contact(self, draft: ContactDraft) -> Contact:
        values = {"name": draft.name, "phone": draft.phone.e164 or draft.phone.raw}
        return _contact(self.http.post("contacts", json=values))

    # --- call logs ---------------------------------------------------------------------------------

    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        call = {
            "subject": entry.subject,
            "body": entry.body,
            "contact_id": str(entry.contact.id),
            "started_at": entry.started_at.isoformat(),
            "duration_seconds": entry.duration,
        }
        log_id = require_id(self.http.post("calls", json=call), "id")
        entry.created(log_id)
        return LogResult(log_id=log_id)

    def get_call_log(self, ref: LogRef) -> LoggedCall:
        call = require(self.http.get(_path("calls", ref), template="/calls/{id}"), "", dict)
        return LoggedCall(subject=require(call, "subject", str), body=require(call, "body", str), raw=call)

    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        """Sends what is given; what is left out stays as it is."""
        given = {"subject": change.subject, "body": change.body, "duration_seconds": change.duration}
        return self._change("calls", ref, {name: value for name, value in given.items() if value is not None})

    # --- message logs ------------------------------------------------------------------------------

    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        """One request for all messages of the day."""
        conversation = {
            "subject": entry.subject,
            "body": entry.body,
            "contact_id": str(entry.contact.id),
            "started_at": entry.started_at.isoformat(),
        }
        log_id = require_id(self.http.post("conversations", json=conversation), "id")
        entry.created(log_id)
        return LogResult(log_id=log_id)

    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        """Reads the present body, so that what a person wrote into it in the CRM stays; a shared one is replaced."""
        body = change.body
        if body is None:
            with precondition(reads_the_record=True):
                found = self.http.get(_path("conversations", ref), template="/conversations/{id}")
                current = require(found, "body", str)
            body = change.append(current, change.messages)
        return self._change("conversations", ref, {"body": body})

    def _change(self, kind: str, ref: LogRef, values: Mapping[str, Any]) -> LogResult:
        if values:
            self.http.patch(_path(kind, ref), json=values, template=f"/{kind}/{{id}}")
        return LogResult(log_id=ref.log_id)


def _path(kind: str, ref: LogRef) -> str:
    return f"{kind}/{quote(ref.log_id, safe='')}"


def _contact(row: Any) -> Contact:
    return Contact(
        id=require_id(row, "id"),
        name=require(row, "name", str),
        type="Contact",
        phone=dig(row, "phone", str, ""),
        company=dig(row, "company", str, ""),
    )
