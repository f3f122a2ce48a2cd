"""The Clio adapter: each operation as requests to Clio's API v4."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapters.clio import communications, replies
from adapters.clio.documents import Documents
from adapters.clio.matters import Lookup, form_info, new_contact_info
from adapters.clio.replies import record_id
from adapters.clio.time_entries import TimeEntries
from adapters.clio.timezones import iana_name
from adapters.contract import (
    AdapterContext,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    Contact,
    ContactDraft,
    ContactMatches,
    ContactRef,
    CrmAdapter,
    DirectoryUser,
    Dispensable,
    Disposition,
    Id,
    LogFormat,
    LoggedCall,
    LogMarker,
    LogRef,
    LogResult,
    MessageLogChange,
    MessageLogEntry,
    NewContactOffer,
    Notice,
    NoticeLevel,
    OAuthApp,
    PhoneNumber,
    RecordNotFound,
    Reply,
    RequestRejected,
    ServerMisconfigured,
    UserProfile,
    dig,
    is_deleted,
    log_written,
    natural_name,
    precondition,
    readable,
    require,
    require_id,
    send_without_gone,
    text_or_null,
    without_keys,
)
from adapters.contract.types import Info

_MOST_USERS = 2000
#: First label of a regional host -> infix of the variables that hold its application; the US host has none.
_REGIONS = {"eu": "EU_", "au": "AU_", "ca": "CA_"}


_MATTER = Dispensable(what="matter", without=without_keys("matter"))


class Adapter(CrmAdapter):
    """Persons and companies are the contacts; logs are communications, with time entries beside them."""

    log_format = LogFormat.PLAIN
    message_title_date = "%m/%d/%Y"

    @classmethod
    def auth_headers(cls, context: AdapterContext) -> dict[str, str]:
        """The token goes to Clio's four hosts only; a host stored otherwise gets none."""
        hostname = context.credentials.hostname or context.user.hostname
        return super().auth_headers(context) if hostname in context.manifest.server.hosts else {}

    def explain(self, reply: Reply) -> ConnectorError | None:
        return replies.explain(reply)

    # --- login and logout --------------------------------------------------------------------------

    def oauth_app(self, hostname: str) -> OAuthApp:
        """The application registered in the host's region. Raises ``RequestRejected`` for a host that is not Clio's,
        ``ServerMisconfigured`` for a region without one."""
        if hostname not in self.manifest.server.hosts:
            raise RequestRejected("This is not a Clio address. Open Clio in the browser and connect again.")
        infix = _REGIONS.get(hostname.split(".", 1)[0], "")
        client_id = self.secrets.get(f"CLIO_{infix}CLIENT_ID", "")
        client_secret = self.secrets.get(f"CLIO_{infix}CLIENT_SECRET", "")
        if not client_id or not client_secret:
            raise ServerMisconfigured("This server is not set up for your Clio region. Tell your administrator.")
        return OAuthApp(
            client_id=client_id,
            client_secret=client_secret,
            token_url=f"https://{hostname}/oauth/token",
            redirect_uri=self.manifest.server.auth.redirect_uri,
            token_auth=self.manifest.server.auth.token_auth,
        )

    def user_profile(self) -> UserProfile:
        """The user, with the firm (Clio: account) that colleagues share.

        Source: the published schema of the API has ``account`` with ``id`` on a user. Should a region refuse it, a
        login is worth more than the firm: it is asked for once more without.
        """
        try:
            payload = self._who_am_i("id,name,time_zone,account{id}")
        except RequestRejected as error:
            if error.status != 400:
                raise
            payload = self._who_am_i("id,name,time_zone")
        account = dig(payload, "data.account.id", int, 0)
        return UserProfile(
            id=require_id(payload, "data.id"),
            name=dig(payload, "data.name", str, ""),
            timezone=iana_name(dig(payload, "data.time_zone", str, "")),
            hostname=self._hostname(),
            account_id=str(account) if account else "",
        )

    def _who_am_i(self, fields: str) -> Any:
        return self.http.get("users/who_am_i.json", params={"fields": fields})

    def refresh_user(self) -> UserProfile:
        return self.user_profile()

    def revoke(self) -> None:
        """Clio takes the token both as the login and as the form field."""
        token = self.credentials.access_token
        if token:
            self.http.post(f"https://{self._hostname()}/oauth/deauthorize", data={"token": token})

    # --- contacts ----------------------------------------------------------------------------------

    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        found = self._lookup().by_phone(phone)
        return ContactMatches(
            contacts=found.contacts,
            new_contact=self.new_contact_offer(),
            notice=found.notice,
            dropped=found.dropped,
            by_ending=found.by_ending,
        )

    def new_contact_offer(self) -> NewContactOffer:
        return NewContactOffer(additional_info=new_contact_info())

    def find_contacts_by_name(self, name: str) -> ContactMatches:
        if not name.strip():
            return ContactMatches()
        found = self._lookup().by_name(name.strip())
        return ContactMatches(contacts=found.contacts, notice=found.notice, dropped=found.dropped)

    def create_contact(self, draft: ContactDraft) -> Contact:
        phone = draft.phone.e164 or draft.phone.raw
        contact_type = draft.type or "Person"
        name = natural_name(draft.name) if contact_type == "Person" else draft.name  # Clio splits a person's name
        data: dict[str, Any] = {"name": name, "type": contact_type}
        if phone:
            data["phone_numbers"] = [{"name": "Work", "number": phone, "default_number": True}]
        payload = self.http.post("contacts.json", params={"fields": "id,name"}, json={"data": data})
        return Contact(
            id=require_id(payload, "data.id"),
            name=dig(payload, "data.name", str, "") or name,
            type=contact_type,
            phone=phone,
            additional_info=form_info(self.options),
        )

    # --- call logs ---------------------------------------------------------------------------------

    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        """The log counts as soon as the communication exists; a time entry that fails is a warning."""
        data = communications.call(entry, self.user.id)
        log_id, left_out = self._create(data)
        entry.created(log_id)
        gone = [item.what for item in left_out]
        if "matter" in gone:
            entry = replace(entry, submission=without_keys("matters")(dict(entry.submission)))
        if "owner" in gone:
            entry = replace(entry, assignee=None)
        notice = self._time_entries().create_for_call(record_id(log_id), entry, data["body"])
        return log_written(log_id, "Call logged", left_out, crm="Clio", further=notice)

    def get_call_log(self, ref: LogRef) -> LoggedCall:
        return communications.logged_call(self._read(ref, communications.READ_FIELDS))

    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        log_id = record_id(ref.log_id)
        current = change.current or LoggedCall()
        data = communications.changes(change, current)
        left_out = self._patch(log_id, data) if data else ()
        if left_out:
            change = replace(change, assignee=None)
        notice = self._time_entries().update_for_call(log_id, change, current)
        return log_written(log_id, "Call log updated", left_out, crm="Clio", further=notice)

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        """Files log and time entries under another matter. Clio can replace a matter, not remove it."""
        log_id = record_id(ref.log_id)
        if "matters" in disposition.fields and disposition.fields["matters"] is None:
            message = "Clio cannot take a log out of its matter. Choose another matter."
            return LogResult(log_id=log_id, notice=Notice(message=message, level=NoticeLevel.WARNING))
        matter = communications.chosen_matter(disposition.fields)
        if not matter:
            return None
        left_out = self._patch(log_id, {"matter": {"id": matter}})
        notice = None if left_out else self._time_entries().move(log_id, matter)
        return log_written(log_id, "Call log updated", left_out, crm="Clio", further=notice)

    def find_call_log(self, marker: LogMarker) -> Id | None:
        return self._find(communications.SESSION_PROPERTY, marker)

    def complete_call_log(self, log_id: Id, entry: CallLogEntry) -> LogResult:
        """The attempt whose answer was lost may have ended before its time entry."""
        note = communications.call(entry, self.user.id)["body"]
        return LogResult(log_id=log_id, notice=self._time_entries().complete_for_call(record_id(log_id), entry, note))

    # --- message logs ------------------------------------------------------------------------------

    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        messages, body = list(entry.messages), entry.body
        if not entry.is_shared:
            messages = self._documents(entry.contact, entry.submission).filed(entry.messages)
            if messages != list(entry.messages):
                body = entry.compose(messages)
        log_id, left_out = self._create(communications.conversation(entry, body, self.user.id, self.zone()))
        entry.created(log_id)
        submission = entry.submission
        if any(item.what == "matter" for item in left_out):
            submission = without_keys("matters")(dict(submission))
        notice = self._time_entries().create_for_messages(
            record_id(log_id), entry.messages, entry.contact.name, submission
        )
        return log_written(log_id, "Message logged", left_out, crm="Clio", further=notice)

    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        log_id = record_id(ref.log_id)
        if change.is_shared:
            if change.body and change.body.strip():
                self._patch(log_id, {"body": change.body})
            return LogResult(log_id=log_id)
        if not change.messages:
            return LogResult(log_id=log_id)
        with precondition(reads_the_record=True):
            body = text_or_null(self._read(ref, "id,body"), "body")
        are_there = change.append(body, change.messages) == body  # from an attempt whose end nobody saw
        if not are_there:
            messages = self._documents(change.contact, change.submission).filed(change.messages)
            self._patch(log_id, {"body": change.append(body, messages)})
        notice = self._time_entries().create_for_messages(
            log_id, change.messages, change.contact.name, change.submission, may_be_there=are_there
        )
        return LogResult(log_id=log_id, notice=notice)

    def find_message_log(self, marker: LogMarker) -> Id | None:
        return self._find(communications.CONVERSATION_PROPERTY, marker)

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:
        params = {
            "enabled": "true",
            "order": "name(asc)",
            "limit": _MOST_USERS,
            "fields": "id,name,email,first_name,last_name",
        }

        def user_of(row: dict[str, Any]) -> DirectoryUser:
            parts = f"{dig(row, 'first_name', str, '')} {dig(row, 'last_name', str, '')}".strip()
            name = dig(row, "name", str, "") or parts
            return DirectoryUser(id=require_id(row, "id"), name=name, email=dig(row, "email", str, ""))

        found = list(replies.all_rows(self.http, self._hostname(), "users.json", params))
        return tuple(readable(found, user_of)[0])

    # --- requests ----------------------------------------------------------------------------------

    def _create(self, data: dict[str, Any]) -> tuple[Id, tuple[Dispensable, ...]]:
        """Its id, and what it was written without because that is gone."""

        def send(values: dict[str, Any]) -> Id:
            payload = self.http.post("communications.json", params={"fields": "id"}, json={"data": values})
            return require_id(payload, "data.id")

        owner = Dispensable(what="owner", noun="assigned user", without=communications.given_to(self.user.id))
        return send_without_gone(send, data, (_MATTER, owner))

    def _read(self, ref: LogRef, fields: str) -> dict[str, Any]:
        payload = self.http.get(f"communications/{record_id(ref.log_id)}.json", params={"fields": fields})
        data = require(payload, "data", dict)
        if is_deleted(data):
            raise RecordNotFound("This record no longer exists in Clio.")
        return data

    def _patch(self, log_id: int, data: dict[str, Any]) -> tuple[Dispensable, ...]:
        """What was left out of the change because it is gone."""

        def send(values: dict[str, Any]) -> None:
            if values:
                self.http.patch(f"communications/{log_id}.json", json={"data": values})

        owner = Dispensable(what="owner", noun="assigned user", without=without_keys("senders", "receivers"))
        return send_without_gone(send, data, (_MATTER, owner))[1]

    def _find(self, name: str, marker: LogMarker) -> Id | None:
        params = {
            "external_property_name": name,
            "external_property_value": communications.marker_value(marker.marker),
            "fields": "id,senders{id,type},receivers{id,type}",
        }
        found = replies.all_rows(self.http, self._hostname(), "communications.json", params)
        living = [row for row in found if not is_deleted(row)]
        for user in (communications.writer(marker.assignee, self.user.id), self.user.id):  # an assignee may be gone
            written = (require_id(row, "id") for row in living if communications.was_written_by(row, user))
            if (mine := next((log_id for log_id in written if not marker.is_anothers(log_id)), None)) is not None:
                return mine
        return None

    def _lookup(self) -> Lookup:
        return Lookup(
            http=self.http,
            hostname=self._hostname(),
            options=self.options,
            cache=self.cache,
            user_id=self.user.id,
        )

    def _time_entries(self) -> TimeEntries:
        return TimeEntries(http=self.http, options=self.options, zone=self.zone(), user_id=self.user.id)

    def _documents(self, contact: ContactRef, submission: Info) -> Documents:
        return Documents(
            http=self.http, hostname=self._hostname(), zone=self.zone(), contact=contact, submission=submission
        )

    def _hostname(self) -> str:
        return self.credentials.hostname or self.user.hostname
