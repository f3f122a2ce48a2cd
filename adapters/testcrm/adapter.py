"""The adapter of the Test CRM: small and complete, to be copied as the beginning of a new one.

The Test CRM is the sandbox server beside this file (``server.py``), so every fact below can be tried. Each method
reads as three steps: build the vendor's request, send it, read the answer. What a real adapter lists here is what
surprised its author; the surprises of this CRM are:

- Two ways to log in. API keys travel as Basic with the key as user name and an empty password; tokens of an OAuth
  login travel as Bearer. The extension is shown the API-key form (``client.auth.type`` in the manifest); setting it to
  ``oauth``, and ``server.auth.type`` with it, is all it takes to switch, and logins of the other kind go on working.
- Contact ids are ints, log ids are texts (``call-12``). Both go to the extension as they are, because it compares ids
  with ``===``; what comes back may be text in either case.
- The phone search looks for digits anywhere in a stored text, whatever else is written there. One request finds every
  spelling, but also numbers of other areas and longer ones, so each hit is verified here.
- A contact, deal, owner or category that is gone is answered with 422 ``unknown_contact`` and the like when something
  is logged with it, not with 404.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from adapters.contract import (
    AdapterContext,
    Assignee,
    CallLogChange,
    CallLogEntry,
    Choice,
    ConnectorError,
    Contact,
    ContactDraft,
    ContactMatches,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmAdapter,
    DirectoryUser,
    Dispensable,
    Disposition,
    DroppedHit,
    Id,
    LicenseStatus,
    LogFormat,
    LoggedCall,
    LoginForm,
    LogMarker,
    LogRef,
    LogResult,
    MessageLogChange,
    MessageLogEntry,
    PhoneNumber,
    RecordNotFound,
    Reply,
    UnexpectedResponse,
    UnsupportedOperation,
    UserProfile,
    dig,
    fan_out,
    is_deleted,
    log_written,
    precondition,
    readable,
    reference_gone,
    require,
    require_id,
    rows,
    send_without_gone,
    sort_hits,
    text_or_null,
    without_keys,
)

#: Form field (manifest ``page.*.additionalFields`` and ``rcAdditionalSubmission``) -> member of an activity.
_FORM_FIELDS = {"deals": "deal_id", "address": "address", "departmentName": "department"}
#: Code of a refusal -> what an activity referred to and is gone.
_REFERENCES = {
    "unknown_contact": "contact",
    "unknown_deal": "deal",
    "unknown_owner": "owner",
    "unknown_category": "category",
}
#: Key of the account's data, and of the cache.
_CATEGORIES = "categories"
_CATEGORIES_MAX_AGE = timedelta(days=1)


class Adapter(CrmAdapter):
    """Translates Switchboard's operations into requests to the Test CRM."""

    log_format = LogFormat.PLAIN
    finds_extensions = True  # numbers of a few digits are compared whole, so "204" finds who is stored as "204"

    # --- seams of the HTTP client ------------------------------------------------------------------

    @classmethod
    def auth_headers(cls, context: AdapterContext) -> dict[str, str]:
        """Basic for API keys, Bearer for OAuth; only an OAuth login has a refresh token."""
        credentials = context.credentials
        if not credentials.access_token:
            return {}
        if credentials.refresh_token:
            return {"Authorization": f"Bearer {credentials.access_token}"}
        key = base64.b64encode(f"{credentials.access_token}:".encode()).decode()
        return {"Authorization": f"Basic {key}"}

    def explain(self, reply: Reply) -> ConnectorError | None:
        """422 ``unknown_deal`` is this CRM's way of saying that the deal of an activity was deleted."""
        what = _REFERENCES.get(dig(reply.body, "code", str, ""), "")
        return reference_gone(what, self.manifest.display_name, status=422) if reply.status == 422 and what else None

    # --- login and logout; ``exchange_code`` and ``refresh`` of the base class serve the OAuth login ----

    def login(self, form: LoginForm) -> Credentials:
        """The key is the credential; whether it is good shows when ``user_profile`` is read."""
        key = str(form.fields.get("apiKey") or "").strip()
        if not key:
            raise CredentialsRejected("Please enter an API key.")
        return Credentials(access_token=key)

    def user_profile(self) -> UserProfile:
        """``GET /api/me``. The host of page links is the configured one, whatever the caller claims."""
        reply = self.http.get("/api/me")
        return UserProfile(
            id=require_id(reply, "id"),
            name=require(reply, "name", str),
            timezone=dig(reply, "time_zone", str, ""),
            hostname=urlsplit(self.secrets["TEST_CRM_URL"]).netloc,
            account_id=dig(reply, "company", str, ""),
            email=dig(reply, "email", str, ""),
        )

    def revoke(self) -> None:
        """Ends an OAuth login at the CRM. API keys belong to their owner: the CRM has no request to end one."""
        if self.credentials.refresh_token:
            self.http.oauth(self.oauth_app("")).revoke(self.credentials.refresh_token, hint="refresh_token")

    def validate_session(self) -> bool:
        try:
            self.http.get("/api/me")
        except CredentialsRejected:
            return False
        return True

    def refresh_user(self) -> UserProfile:
        return self.user_profile()

    # --- contacts ----------------------------------------------------------------------------------

    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        """One request: the CRM compares digits and sends each contact's deals along.

        A number with several notations is searched for by what they end in, which is two things for Argentina.
        """
        searches = phone.endings if phone.twins else (phone.e164 or phone.national,)
        found = [row for rows_ in fan_out(self._with_digits, searches) for row in rows_]
        hits = {require_id(row, "id"): row for row in found}
        gone = tuple(DroppedHit(id=key, reason="was deleted") for key, row in hits.items() if is_deleted(row))
        living = [row for row in hits.values() if not is_deleted(row)]
        chosen = sort_hits(phone, living, numbers=_phones, key=lambda row: require_id(row, "id"))
        return ContactMatches(
            contacts=tuple(self._contact(row, phone=match.number) for row, match in chosen.shown),
            new_contact=self.new_contact_offer(),
            dropped=(*gone, *chosen.dropped),
            by_ending=chosen.by_ending,
        )

    def _with_digits(self, number: str) -> list[dict[str, Any]]:
        return rows(self.http.get("/api/contacts", params={"phone": number}), "contacts")

    def find_contacts_by_name(self, name: str) -> ContactMatches:
        """Any part of the name, in any letter case."""
        found = rows(self.http.get("/api/contacts", params={"name": name}), "contacts")
        return ContactMatches(contacts=tuple(self._contact(row) for row in found if not is_deleted(row)))

    def create_contact(self, draft: ContactDraft) -> Contact:
        number = draft.phone.e164 or draft.phone.raw
        values = {"name": draft.name, "type": draft.type or "Contact", "phones": [number] if number else []}
        reply = self.http.post("/api/contacts", json=values)
        return self._contact(require(reply, "contact", dict), phone=number)

    def _contact(self, row: Mapping[str, Any], *, phone: str = "") -> Contact:
        """``phone``: the number to show where there are several; default: the first."""
        deals = self._deal_choices(row)
        return Contact(
            id=require_id(row, "id"),
            name=require(row, "name", str),
            type=require(row, "type", str),
            phone=phone or next(iter(_phones(row)), ""),
            title=dig(row, "title", str, ""),
            company=dig(row, "company", str, ""),
            email=dig(row, "email", str, ""),
            created_at=_time(row, "created_at"),
            last_activity_at=_time(row, "last_activity_at"),
            additional_info={"deals": deals} if deals else {},
        )

    def _deal_choices(self, row: Mapping[str, Any]) -> tuple[Choice, ...]:
        show_closed = self.options.flag("testCrmShowClosedDeals")
        return tuple(
            Choice(const=require_id(deal, "id"), title=require(deal, "title", str))
            for deal in rows(row, "deals")
            if show_closed or dig(deal, "status", str, "") != "closed"
        )

    # --- call logs ---------------------------------------------------------------------------------

    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        """One request. The session id goes along as ``external_id``, which ``find_call_log`` searches for."""
        activity = {
            "kind": "call",
            "subject": entry.subject,
            "body": entry.body,
            "contact_id": _contact_id(entry.contact),
            "started_at": _iso(entry.started_at),
            "duration_seconds": entry.duration,
            "direction": entry.direction.lower(),
            "disposition": entry.result,
            "external_id": entry.session_id,
            **self._category(),
            **_owner(entry.assignee),
            **_form_values(entry.submission),
        }
        return self._add(activity, entry.created, done="Call logged")

    def get_call_log(self, ref: LogRef) -> LoggedCall:
        activity = self._activity(ref)
        return LoggedCall(
            subject=dig(activity, "subject", str, ""),
            body=text_or_null(activity, "body"),
            contact_name=dig(activity, "contact_name", str, ""),
            started_at=_time(activity, "started_at"),
            duration=None if activity.get("duration_seconds") is None else require(activity, "duration_seconds", int),
            dispositions={"deals": activity.get("deal_id"), "address": activity.get("address")},
            raw=activity,
        )

    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        """Sends what is given; a member that is left out stays as it is."""
        given = {
            "subject": change.subject,
            "body": change.body,
            "started_at": _iso(change.started_at) if change.started_at else None,
            "duration_seconds": change.duration,
            "disposition": change.result,
        }
        values = {name: value for name, value in given.items() if value is not None}
        given = {**values, **_owner(change.assignee), **_form_values(change.submission)}
        return self._change(ref, given, done="Call log updated")

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        values = _form_values(disposition.fields)
        return self._change(ref, values, done="Call log updated") if values else None

    def find_call_log(self, marker: LogMarker) -> Id | None:
        return self._find_activity("call", marker)

    # --- message logs ------------------------------------------------------------------------------

    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        """One request for all messages of the day."""
        activity = {
            "kind": "conversation",
            "subject": entry.subject,
            "body": entry.body,
            "contact_id": _contact_id(entry.contact),
            "started_at": _iso(entry.started_at),
            "external_id": entry.conversation_log_id,
            **self._category(),
            **_owner(entry.assignee),
            **_form_values(entry.submission),
        }
        return self._add(activity, entry.created, done="Message logged")

    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        """Reads the present body, so that what somebody wrote into it in the CRM stays; a shared one is replaced."""
        body = change.body
        if body is None:
            with precondition(reads_the_record=True):
                current = text_or_null(self._activity(ref), "body")
            body = change.append(current, change.messages)
        return self._change(ref, {"body": body, **_form_values(change.submission)}, done="Message logged")

    def find_message_log(self, marker: LogMarker) -> Id | None:
        return self._find_activity("conversation", marker)

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:

        def user_of(row: dict[str, Any]) -> DirectoryUser:
            name, email = require(row, "name", str), dig(row, "email", str, "")
            return DirectoryUser(id=require_id(row, "id"), name=name, email=email)

        return tuple(readable(rows(self.http.get("/api/users"), "users"), user_of)[0])

    def license_status(self) -> LicenseStatus:
        reply = self.http.get("/api/license")
        return LicenseStatus(
            is_valid=require(reply, "valid", bool),
            status=require(reply, "status", str),
            description=dig(reply, "description", str, ""),
        )

    def account_data(self, key: str) -> Any:
        """``categories``: the choices of the administrator's setting; they change rarely, so they are cached."""
        if key != _CATEGORIES:
            raise UnsupportedOperation(key)
        choices = self.cache.get(key, max_age=_CATEGORIES_MAX_AGE)
        if choices is None:
            found = rows(self.http.get("/api/categories"), "categories")
            choices = [{"const": require_id(row, "id"), "title": require(row, "name", str)} for row in found]
            self.cache.put(key, choices)
        return choices

    # --- activities, which calls and conversations are here -------------------------------------------

    def _activity(self, ref: LogRef) -> dict[str, Any]:
        activity = require(self.http.get(_path(ref), template="/api/activities/{id}"), "activity", dict)
        if is_deleted(activity):
            raise RecordNotFound()
        return activity

    def _add(self, activity: dict[str, Any], created: Callable[[Id], None], *, done: str) -> LogResult:
        def send(values: dict[str, Any]) -> Id:
            return require_id(self.http.post("/api/activities", json=values), "activity.id")

        log_id, left_out = send_without_gone(send, activity, self._dispensable())
        created(log_id)
        return log_written(log_id, done, left_out, crm=self.manifest.display_name)

    def _change(self, ref: LogRef, given: dict[str, Any], *, done: str) -> LogResult:
        def send(values: dict[str, Any]) -> None:
            if values:
                self.http.patch(_path(ref), json=values, template="/api/activities/{id}")

        _, left_out = send_without_gone(send, given, self._dispensable())
        return log_written(ref.log_id, done, left_out, crm=self.manifest.display_name)

    def _dispensable(self) -> tuple[Dispensable, ...]:
        """What an activity can do without; without an owner it is the connected user's."""
        return (
            Dispensable(what="deal", without=without_keys("deal_id")),
            Dispensable(what="category", without=self._without_category),
            Dispensable(what="owner", noun="assigned user", without=without_keys("owner_id")),
        )

    def _without_category(self, activity: dict[str, Any]) -> dict[str, Any]:
        self.cache.forget(_CATEGORIES)
        return without_keys("category")(activity)

    def _find_activity(self, kind: str, marker: LogMarker) -> Id | None:
        """Only of the owner it was written for: a colleague may have logged the same session.

        An owner who is gone was left out, and the activity is the connected user's.
        """
        assigned = [marker.assignee.user_id] if marker.assignee else []
        for owner in dict.fromkeys([*assigned, str(self.user.id)]):
            wanted = {"kind": kind, "external_id": marker.marker, "owner_id": owner}
            found = rows(self.http.get("/api/activities", params=wanted), "activities")
            ids = [require_id(row, "id") for row in found if not is_deleted(row)]
            if mine := [log_id for log_id in ids if not marker.is_anothers(log_id)]:
                return mine[-1]  # newest first; the oldest is the one others refer to
        return None

    def _category(self) -> dict[str, str]:
        category = self.options.text("testCrmCategory")
        return {"category": category} if category else {}


def _path(ref: LogRef) -> str:
    return f"/api/activities/{quote(ref.log_id, safe='')}"


def _contact_id(contact: ContactRef) -> Id:
    """The id in this CRM's own type; the client may send it as text."""
    text = str(contact.id)
    return int(text) if text.isascii() and text.isdigit() else contact.id


def _owner(assignee: Assignee | None) -> dict[str, str]:
    """Without an assignee the CRM takes the connected user."""
    return {"owner_id": assignee.user_id} if assignee else {}


def _form_values(submission: Mapping[str, Any]) -> dict[str, str | None]:
    """The form's fields as members of an activity; "none" is what the extension sends for "nothing chosen"."""
    return {
        member: None if submission[field] in (None, "", "none") else str(submission[field])
        for field, member in _FORM_FIELDS.items()
        if field in submission
    }


def _phones(row: Mapping[str, Any]) -> list[str]:
    return [text for text in dig(row, "phones", list, []) if isinstance(text, str)]


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _time(row: Mapping[str, Any], path: str) -> datetime | None:
    """A time in ISO 8601 with its zone; None where there is none."""
    text = dig(row, path, str, "")
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UnexpectedResponse(reason=f"expected a time with zone at '{path}'")
    return moment
