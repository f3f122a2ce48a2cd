"""The Bullhorn adapter: people are searched for in the index, calls and messages are written as notes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapters.bullhorn import comments, lookup, note_writes, notes, people, search, service_user, sign_in
from adapters.bullhorn.account_data import ACTIONS, AccountLists
from adapters.bullhorn.refusals import explain
from adapters.contract import (
    AdapterContext,
    AdoptedLogin,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    Contact,
    ContactDraft,
    ContactMatches,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmAdapter,
    DirectoryUser,
    Disposition,
    FormerLogin,
    Id,
    LogFormat,
    LoggedCall,
    LogMarker,
    LogRef,
    LogResult,
    Manifest,
    MessageLogChange,
    MessageLogEntry,
    NewContactOffer,
    Notice,
    NoticeLevel,
    OAuthCallback,
    PhoneNumber,
    RecordNotFound,
    Reply,
    RequestRejected,
    UnsupportedOperation,
    UserProfile,
    dig,
    is_deleted,
    log_written,
    require,
    require_id,
)


class Adapter(CrmAdapter):
    """Bullhorn's REST API, reached with a REST session that is opened with an OAuth token."""

    log_format = LogFormat.HTML
    mapping_before_token = True
    auto_log_marker = "<br>From auto logging (Pending)<br>"

    @classmethod
    def base_url(cls, context: AdapterContext) -> str:
        """The base of the session, which each login names anew."""
        return dig(context.credentials.extra, "rest_url", str, "") or sign_in.ANY_LOGIN_URL

    @classmethod
    def auth_headers(cls, context: AdapterContext) -> dict[str, str]:
        """The session token; as a query parameter it would end up in logs."""
        token = context.credentials.access_token
        return {"BhRestToken": token} if token else {}

    def explain(self, reply: Reply) -> ConnectorError | None:
        """See ``refusals``."""
        return explain(reply)

    # --- login and logout --------------------------------------------------------------------------

    def exchange_code(self, callback: OAuthCallback) -> Credentials:
        """OAuth tokens for the code, and the first session with them."""
        centre = sign_in.data_centre(self.http, callback)
        now = self.context.now()
        app = self.oauth_app("")
        grant = {
            "grant_type": "authorization_code",
            "code": callback.code,
            "redirect_uri": callback.redirect_uri or app.redirect_uri,
        }
        tokens = sign_in.request_tokens(self.http, app, centre.token_url, grant, now=now)
        extra = {**tokens.extra, "login_url": centre.login_url, "username": dig(callback.fields, "username", str, "")}
        hostname = callback.hostname if sign_in.is_service(f"https://{callback.hostname}", "") else ""
        return sign_in.open_session(self.http, replace(tokens, hostname=hostname, extra=extra), now=now)

    def refresh(self, credentials: Credentials, *, keep: Any) -> Credentials:
        """A new session; new tokens first where the access token is too old to open one.

        The session it replaces is within two minutes of its end or dead already, and other requests may still be
        using it, so it is left to lapse.
        """
        now = self.context.now()
        if sign_in.has_live_access_token(credentials, now=now):
            try:
                return sign_in.open_session(self.http, credentials, now=now)
            except CredentialsRejected:
                pass  # the token did not live as long as it was said to
        try:
            fresh = self._renewed(credentials, now)
        except CredentialsRejected as error:
            api_user = service_user.stored_user(credentials)
            if not error.final or not all(api_user):
                raise
            try:
                return service_user.login_as(self.http, self.oauth_app(""), credentials, api_user, now=now)
            except CredentialsRejected:  # the password is no longer good either
                raise error from None
        keep(fresh)  # the old refresh token is spent: should the login below fail, this pair must not be lost
        return sign_in.open_session(self.http, fresh, now=now)

    def _renewed(self, credentials: Credentials, now: datetime) -> Credentials:
        """The credentials with a new token pair and the old session."""
        if not credentials.refresh_token:
            raise CredentialsRejected(final=True)
        token_url = dig(credentials.extra, "token_url", str, "") or self.oauth_app("").token_url
        grant = {"grant_type": "refresh_token", "refresh_token": credentials.refresh_token}
        tokens = sign_in.request_tokens(self.http, self.oauth_app(""), token_url, grant, now=now)
        return replace(
            tokens,
            access_token=credentials.access_token,
            hostname=credentials.hostname,
            extra={**credentials.extra, **tokens.extra},
        )

    def after_login(self, credentials: Credentials, previous: Credentials) -> Credentials:
        """The API user's session in place of the user's own, where one is stored and can sign in."""
        if previous.expires_at is not None and previous.expires_at > self.context.now():
            self._leave_session(previous)
        api_user = service_user.stored_user(previous)
        if not all(api_user):
            return credentials
        try:
            return self._as_api_user(credentials, api_user)
        except ConnectorError:  # the user's own login is good, and the API user is kept for the next renewal
            return service_user.with_user(credentials, api_user)

    @classmethod
    def adopt(cls, former: FormerLogin, *, manifest: Manifest, allowed: Sequence[str]) -> AdoptedLogin:
        return sign_in.adopted(former)

    def user_profile(self) -> UserProfile:
        """The user of the session. The caller's user name decides nothing while Bullhorn says who signed in."""
        row = sign_in.session_user(self.http, self.credentials)
        rest_url = dig(self.credentials.extra, "rest_url", str, "")
        return UserProfile(
            id=require_id(row, "masterUserID"),
            name=dig(row, "name", str, ""),
            timezone=people.zone_name(dig(row, "timeZoneOffsetEST", float, None)),
            hostname=self.credentials.hostname or self.user.hostname,
            account_id=sign_in.corporation_of(rest_url),
            extra={"corporate_user_id": require_id(row, "id")},
        )

    def revoke(self) -> None:
        """Ends the session, which counts against the customer's 50; Bullhorn documents no revocation of tokens."""
        if self.credentials.access_token:
            self.http.get("logout")

    def validate_session(self) -> bool:
        """One ping; a dead session raises ``CredentialsRejected``, so that it is renewed once before giving up."""
        require(self.http.get("ping"), "sessionExpires", int)
        return True

    # --- contacts ----------------------------------------------------------------------------------

    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        """One round: three searches, and the choices for forms where they are not cached."""
        return lookup.by_phone(self.http, self.cache, phone)

    def new_contact_offer(self) -> NewContactOffer:
        """The choices for forms, read where they are not cached."""
        return lookup.offer(self.http, self.cache)

    def find_contacts_by_name(self, name: str) -> ContactMatches:
        """One round; a second, wider one only where several words find nobody together."""
        return lookup.by_name(self.http, self.cache, name)

    def create_contact(self, draft: ContactDraft) -> Contact:
        """A lead, a candidate, or a contact of the placeholder company."""
        kind = search.kind_of(draft.type)
        if kind is None:
            raise RequestRejected("Choose the type of the new contact.")
        lists = AccountLists(self.http, self.cache)
        lists.fill((ACTIONS,))
        person = people.new_person(draft)
        try:
            created = people.create(self.http, self.cache, kind, person)
        except RequestRejected as error:
            if "status" in error.message:
                lists.forget_status(kind.type)
            raise
        return Contact(
            id=created,
            name=person["name"],
            type=kind.type,
            phone=person.get("phone", ""),
            additional_info=lists.contact_info(),
        )

    # --- call logs ---------------------------------------------------------------------------------

    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        """The note; then, where the user ticked it, a copy of the agent's note in the person's comments."""
        log_id, left_out = note_writes.add(
            self.http, self.cache, notes.call_note(entry), otherwise=notes.PENDING_ACTION
        )
        entry.created(log_id)
        copied = self.complete_call_log(log_id, entry)
        logged = log_written(log_id, "Call logged", left_out, crm="Bullhorn", further=copied.notice)
        return replace(logged, gone=(*logged.gone, *copied.gone))

    def complete_call_log(self, log_id: Id, entry: CallLogEntry) -> LogResult:
        """The copy in the person's comments, if it is wanted and not there yet."""
        if not comments.is_wanted(entry.submission, entry.note):
            return LogResult(log_id=log_id)
        return comments.copy_note(self.http, log_id, entry.contact, entry.note, entry.started_at, self.zone())

    def get_call_log(self, ref: LogRef) -> LoggedCall:
        """The note as it stands now."""
        reply = self.http.get(f"entity/Note/{notes.note_id(ref)}", params={"fields": notes.READ_FIELDS})
        return notes.logged_call(notes.living(require(reply, "data", dict)))

    def get_call_logs(self, refs: Sequence[LogRef]) -> list[LoggedCall | ConnectorError]:
        """One request for all; Bullhorn leaves out those that no longer exist."""
        ids = [_id_or_error(ref) for ref in refs]
        wanted = list(dict.fromkeys(str(note) for note in ids if isinstance(note, int)))
        if len(wanted) < 2:
            return super().get_call_logs(refs)
        try:
            reply = self.http.get(f"entity/Note/{','.join(wanted)}", params={"fields": notes.READ_FIELDS})
        except RecordNotFound:  # all of them
            reply = {"data": []}
        found = {require_id(row, "id"): row for row in search.found_rows(reply) if not is_deleted(row)}
        return [
            note if isinstance(note, ConnectorError) else notes.logged_call(found[note]) if note in found
            else RecordNotFound()
            for note in ids
        ]  # fmt: skip

    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        """Sends only what differs from the note as just read; nothing at all where nothing does."""
        raw: Mapping[str, Any] = change.current.raw if change.current and change.current.raw else {}
        fields: dict[str, Any] = notes.author(change.assignee)
        if change.started_at is not None:
            fields["dateAdded"] = search.milliseconds_of(change.started_at)
        if change.duration is not None:
            fields["minutesSpent"] = notes.minutes_of(change.duration)
        if change.body is not None:
            fields["comments"] = change.body
        note_id = notes.note_id(ref)
        changed = {name: value for name, value in fields.items() if name not in raw or raw[name] != value}
        left_out = note_writes.change(self.http, self.cache, note_id, changed)
        logged = log_written(note_id, "Call log updated", left_out, crm="Bullhorn")
        if not comments.is_wanted(change.submission, change.note):
            return logged
        linked = notes.person_of(raw)
        contact = ref.contact or (ContactRef(id=linked[1], type=linked[0].type) if linked else None)
        if contact and linked and not search.kind_of(contact.type):
            contact = replace(contact, type=linked[0].type)
        moment = change.started_at or (change.current.started_at if change.current else None) or self.context.now()
        copied = comments.copy_note(self.http, note_id, contact, change.note or "", moment, self.zone())
        notice = logged.notice.followed_by(copied.notice) if logged.notice else copied.notice
        return LogResult(log_id=note_id, notice=notice, gone=(*logged.gone, *copied.gone))

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        """The note's action."""
        if "noteActions" not in disposition.fields:
            return None
        action = notes.chosen_action(disposition.fields) or notes.PENDING_ACTION
        note_id = notes.note_id(ref)
        left_out = note_writes.change(self.http, self.cache, note_id, {"action": action})
        return log_written(note_id, "Call log updated", left_out, crm="Bullhorn")

    def find_call_log(self, marker: LogMarker) -> Id | None:
        """The note with this session id among the newest of its person.

        Read through the person and not from the index, which lags and on some tenants holds no notes.
        """
        kind = search.kind_of(marker.contact.type)
        if kind is None:
            raise UnsupportedOperation("finding a log without the contact's type")
        try:
            reply = self.http.get(
                f"entity/{kind.entity}/{notes.record_id(marker.contact.id)}/notes",
                params={
                    "fields": "id,externalID,dateAdded,isDeleted",
                    "orderBy": "-dateAdded",
                    "count": str(search.PAGE),
                },
            )
        except RequestRejected as error:
            if error.status not in (404, 410):
                raise
            raise UnsupportedOperation("finding a log whose contact is gone") from None
        wanted = notes.external_id(marker.marker)
        living = (row for row in search.found_rows(reply) if not is_deleted(row))
        return next((require_id(row, "id") for row in living if row.get("externalID") == wanted), None)

    # --- message logs ------------------------------------------------------------------------------

    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        """One note for the conversation day."""
        log_id, left_out = note_writes.add(self.http, self.cache, notes.message_note(entry), otherwise="")
        entry.created(log_id)
        return log_written(log_id, "Message logged", left_out, crm="Bullhorn")

    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        """One read and one write, however many messages; the note keeps its date."""
        note_id = notes.note_id(ref)
        present = note_writes.present_text(self.http, note_id)
        body = change.append(present, change.messages) if change.body is None else change.body
        note_writes.change(self.http, self.cache, note_id, {"comments": body})
        return LogResult(log_id=note_id)

    def find_message_log(self, marker: LogMarker) -> Id | None:
        """As for calls: the conversation day is kept in the same field."""
        return self.find_call_log(marker)

    # --- logging on the server ---------------------------------------------------------------------

    def server_logging_settings(self) -> Mapping[str, str]:
        """The API user's name; the password never leaves, a placeholder stands for it."""
        username, password = service_user.stored_user(self.credentials)
        return {"apiUsername": username, "apiPassword": service_user.PLACEHOLDER if password else ""}

    def save_server_logging_settings(
        self, fields: Mapping[str, str], *, keep: Any
    ) -> tuple[Credentials | None, Notice]:
        """Signs the API user in and stores name and password; without either, the user's own login comes back."""
        stored = service_user.stored_user(self.credentials)
        username, password = fields.get("apiUsername", "").strip(), fields.get("apiPassword", "")
        if not username or not password:
            cleared = self.credentials
            if all(stored):
                cleared = self.refresh(service_user.own_login(self.credentials), keep=keep)
                self._leave_session(self.credentials)
            return cleared, Notice(message="Server logging settings cleared")
        if password == service_user.PLACEHOLDER and username == stored[0]:
            password = stored[1]
        try:
            credentials = self._as_api_user(self.credentials, (username, password))
        except CredentialsRejected:
            return None, _settings_refused("Please check your username and password.")
        except service_user.ForeignUser as error:
            return None, _settings_refused(error.message)
        return credentials, Notice(message="Server logging settings updated", ttl=5000)

    def _as_api_user(self, credentials: Credentials, api_user: tuple[str, str]) -> Credentials:
        found = service_user.login_as(self.http, self.oauth_app(""), credentials, api_user, now=self.context.now())
        if sign_in.corporation_of_session(found) != sign_in.corporation_of_session(credentials):
            self._leave_session(found)
            raise service_user.ForeignUser
        self._leave_session(credentials)
        return found

    def _leave_session(self, left: Credentials) -> None:
        """Ends a session that is not used any more; those left open count against the customer's 50."""
        rest_url = dig(left.extra, "rest_url", str, "")
        if left.access_token and sign_in.corporation_of(rest_url):
            with contextlib.suppress(ConnectorError):
                self.http.get(f"{rest_url}logout", headers={"BhRestToken": left.access_token})

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:
        """Users that are neither deleted nor disabled; ordered, so that pages do not shift."""
        return people.read_users(self.http)

    def account_data(self, key: str) -> Any:
        """``bullhornData``: note actions, and the statuses of each kind of person."""
        if key != "bullhornData":
            raise UnsupportedOperation(key)
        return AccountLists(self.http, self.cache).all()


def _settings_refused(why: str) -> Notice:
    return Notice(message=f"Server logging settings update failed. {why}", level=NoticeLevel.WARNING, ttl=10_000)


def _id_or_error(ref: LogRef) -> int | ConnectorError:
    try:
        return notes.note_id(ref)
    except RequestRejected as error:
        return error
