"""The Pipedrive adapter: each operation as requests to API v2, and to v1 where v2 has no twin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from adapters.contract import (
    AdapterContext,
    AdoptedLogin,
    Assignee,
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
    Dispensable,
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
    Reply,
    RouteReply,
    RouteRequest,
    UnsupportedOperation,
    UserProfile,
    contact_gone,
    dig,
    fan_out_outcomes,
    log_written,
    natural_name,
    precondition,
    require,
    require_id,
    run_together,
    send_without_gone,
    sort_hits,
    text_or_null,
    without_keys,
)
from adapters.pipedrive import activities, activity_types, install_page, login, records, replies
from adapters.pipedrive.lookup import IDS_PER_REQUEST, Lookup

#: Serves every company; the company's own host is the one the vendor recommends.
ANY_COMPANY = "api.pipedrive.com"
#: Clocks differ: how much earlier than its call a log may seem to have been written.
_CLOCK_SKEW = timedelta(minutes=5)
_MIN_TERM = 2
#: Word in a type's title -> what the user is told when such an activity is written.
_DONE = {"call": "Call logged", "sms": "Message logged"}
#: How long a person whom this server created is looked up by id too: the search knows them only after a moment.
_UNTIL_SEARCHABLE = timedelta(minutes=5)


class Adapter(CrmAdapter):
    """Persons are the contacts; call and message logs are done activities with an HTML note."""

    log_format = LogFormat.HTML

    @classmethod
    def base_url(cls, context: AdapterContext) -> str:
        """The company's host; hosts stored before they were checked are not trusted with a token."""
        for hostname in (context.credentials.hostname, context.user.hostname):
            if login.is_company_host(hostname):
                return f"https://{hostname}"
        return f"https://{ANY_COMPANY}"

    def explain(self, reply: Reply) -> ConnectorError | None:
        return replies.explain(reply)

    # --- login and logout --------------------------------------------------------------------------

    def exchange_code(self, callback: OAuthCallback) -> Credentials:
        """The host comes from the token reply: the client sends "temp", or anything, in ``callback.hostname``."""
        client = self.http.oauth(self.oauth_app(""))
        return login.with_own_host(client.exchange(code=callback.code))

    def refresh(self, credentials: Credentials, *, keep: Callable[[Credentials], None]) -> Credentials:
        return login.with_own_host(super().refresh(credentials, keep=keep))

    @classmethod
    def adopt(cls, former: FormerLogin, *, manifest: Manifest, allowed: Sequence[str]) -> AdoptedLogin:
        return login.adopted(former)

    def revoke(self) -> None:
        """One call: revoking the refresh token ends its access tokens too, and uninstalls the app for the user."""
        token, hint = self.credentials.refresh_token, "refresh_token"
        if not token:
            token, hint = self.credentials.access_token, "access_token"
        if token:
            self.http.oauth(self.oauth_app("")).revoke(token, hint=hint)

    def user_profile(self) -> UserProfile:
        return login.profile(self.http.get("/v1/users/me"))

    def handle_route(self, name: str, request: RouteRequest) -> RouteReply:
        if name == "install_page":
            app = self.manifest.oauth_app(secrets=self.secrets, server_url=request.server_url)
            page = self.manifest.client["auth"]["oauth"]["authUrl"]
            return install_page.install_page(
                request, client_id=app.client_id, authorize_url=page, redirect_uri=app.redirect_uri
            )
        if name == "uninstalled":
            return install_page.uninstalled(request, self.secrets)
        raise UnsupportedOperation(name)

    # --- contacts ----------------------------------------------------------------------------------

    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        if len(phone.raw) < _MIN_TERM:
            return ContactMatches(new_contact=NewContactOffer())
        lookup = self._lookup()
        found = lookup.search(*(phone.endings or (phone.raw,)), in_field="phone")
        chosen = sort_hits(phone, found.hits, numbers=lambda hit: hit.phones, key=lambda hit: hit.id)
        created = self.cache.get(_created_key(phone), max_age=_UNTIL_SEARCHABLE) or ()
        contacts = lookup.contacts(found, [hit for hit, _ in chosen.shown], phone=phone, just_created=created)
        return ContactMatches(
            contacts=contacts,
            new_contact=NewContactOffer(),
            notice=lookup.notice,
            dropped=(*chosen.dropped, *lookup.dropped),
            by_ending=chosen.by_ending,
        )

    def find_contacts_by_name(self, name: str) -> ContactMatches:
        term = name.strip()
        if len(term) < _MIN_TERM:  # the vendor answers 400
            return ContactMatches(
                notice=Notice(message="Enter at least two letters of the name.", level=NoticeLevel.WARNING)
            )
        lookup = self._lookup()
        found = lookup.search(term, in_field="name")
        contacts = lookup.contacts(found, found.hits)
        return ContactMatches(contacts=contacts, notice=lookup.notice, dropped=tuple(lookup.dropped))

    def create_contact(self, draft: ContactDraft) -> Contact:
        phone = draft.phone.e164 or draft.phone.raw
        body: dict[str, Any] = {"name": natural_name(draft.name)}  # Pipedrive splits it into first and last name
        if phone:  # v2 does not know "phone": sending it would drop the number
            body["phones"] = [{"value": phone, "primary": True, "label": "work"}]
        person = require(self.http.post("/api/v2/persons", json=body), "data", dict)
        person_id = require_id(person, "id")
        if phone:
            key = _created_key(draft.phone)
            earlier = self.cache.get(key, max_age=_UNTIL_SEARCHABLE) or ()
            self.cache.put(key, [*earlier, person_id])
        return Contact(id=person_id, name=dig(person, "name", str, body["name"]), type="contact", phone=phone)

    # --- call logs ---------------------------------------------------------------------------------

    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        type_key, organisation = self._before_writing("call", entry.contact)
        body = activities.new_activity(
            contact=entry.contact,
            owner=self._owner(entry.assignee),
            subject=entry.subject,
            type_key=type_key,
            body=entry.body,
            started_at=entry.started_at,
            submission=entry.submission,
        )
        body["duration"] = activities.duration(entry.duration or 0)
        return self._write_new("call", {**body, **organisation}, entry.created)

    def get_call_log(self, ref: LogRef) -> LoggedCall:
        contact = ref.contact

        def name() -> str:
            return records.names(self.http, [contact.id]).get(activities.number(contact.id), "") if contact else ""

        reads: tuple[Callable[[], Any], ...] = (partial(records.activity, self.http, ref.log_id), name)
        record, known = fan_out_outcomes(lambda read: read(), reads)
        if isinstance(record, ConnectorError):
            raise record
        if isinstance(known, CredentialsRejected):
            raise known
        if not known and contact is None and (person := dig(record, "person_id", int, 0)):
            known = records.names(self.http, [person]).get(person, "")
        return activities.logged_call(record, known if isinstance(known, str) else "")

    def get_call_logs(self, refs: Sequence[LogRef]) -> list[LoggedCall | ConnectorError]:
        """Two requests at once for up to 100 logs: the activities and the persons, each by a list of ids."""
        if len(refs) == 1:
            return [self._outcome(refs[0])]
        logs: dict[int, Mapping[str, Any]] = {}
        names: dict[int, str] = {}
        people = list(dict.fromkeys(ref.contact.id for ref in refs if ref.contact))
        reads: list[tuple[dict[Any, Any], Callable[[], Mapping[Any, Any]]]] = [
            (logs, partial(records.activities, self.http, part)) for part in records.parts([ref.log_id for ref in refs])
        ]
        reads += [(names, partial(records.names, self.http, part)) for part in records.parts(people)]
        for (target, _), outcome in zip(reads, fan_out_outcomes(lambda read: read[1](), reads), strict=True):
            if not isinstance(outcome, ConnectorError):
                target.update(outcome)
            elif target is logs or isinstance(outcome, CredentialsRejected):
                return [outcome for _ in refs]
        unnamed = [
            person
            for ref in refs
            if ref.contact is None and (person := dig(logs.get(activities.number(ref.log_id)), "person_id", int, 0))
        ]
        if unnamed:
            names.update(records.names(self.http, unnamed[:IDS_PER_REQUEST]))
        return [self._logged_call(ref, logs, names) for ref in refs]

    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        current = change.current or LoggedCall()
        body: dict[str, Any] = {}
        if change.body is not None and change.body != current.body:
            body["note"] = change.body
        if change.subject is not None and change.subject[: activities.SUBJECT_LENGTH] != current.subject:
            body["subject"] = change.subject[: activities.SUBJECT_LENGTH]
        if change.duration:  # clients send 0 for a duration they do not know
            duration = activities.duration(change.duration)
            if current.duration is None or duration != activities.duration(current.duration):
                body["duration"] = duration
        if change.started_at is not None:
            due = activities.due(change.started_at)
            if current.started_at is None or due != activities.due(current.started_at):
                body |= due
        if change.assignee is not None:
            owner = activities.number(change.assignee.user_id)
            if owner != dig(current.raw, "owner_id", int, 0):
                body["owner_id"] = owner
        return self._write_change(ref, body, done="Call log updated")

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        moved = activities.moved_links(disposition.fields)
        return self._write_change(ref, moved, done="Call log updated") if moved else None

    def find_call_log(self, marker: LogMarker) -> Id | None:
        return self._find(marker)

    # --- message logs ------------------------------------------------------------------------------

    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        type_key, organisation = self._before_writing("sms", entry.contact)
        body = activities.new_activity(
            contact=entry.contact,
            owner=self._owner(entry.assignee),
            subject=entry.subject,
            type_key=type_key,
            body=entry.body,
            started_at=entry.started_at,
            submission=entry.submission,
        )
        return self._write_new("sms", {**body, **organisation}, entry.created)

    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        chosen = activities.links(change.submission)
        body: dict[str, Any] = activities.moved_links(change.submission) if chosen else {}
        if change.is_shared:
            if change.body is not None:
                body["note"] = change.body
        elif change.messages:
            with precondition(reads_the_record=True):
                note = text_or_null(records.activity(self.http, ref.log_id), "note")
            extended = change.append(note, change.messages)
            if extended != note:
                body["note"] = extended
        return self._write_change(ref, body, done="Message logged")

    def find_message_log(self, marker: LogMarker) -> Id | None:
        return self._find(marker)

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:
        return records.users(self.http)

    def account_data(self, key: str) -> Any:
        if key != activity_types.CACHE_KEY:
            raise UnsupportedOperation(key)
        if (fresh := activity_types.kept(self.cache)) is not None:
            return fresh
        return activity_types.keep_or_fall_back(self.cache, activity_types.try_fetch(self.http))

    # --- requests ----------------------------------------------------------------------------------

    def _lookup(self) -> Lookup:
        scopes = login.granted_scopes(self.credentials)
        return Lookup(http=self.http, cache=self.cache, scopes=scopes)

    def _before_writing(self, keyword: str, contact: ContactRef) -> tuple[str, dict[str, int]]:
        """The activity type, and ``{"org_id": ...}`` where the person has an organisation; one round of reads.

        Raises ``RequestRejected`` when there is no type for this, before anything is written.
        """
        types = activity_types.kept(self.cache)
        person = activities.number(contact.id)
        with precondition():
            if types is not None and activity_types.is_settled(types, keyword=keyword, options=self.options):
                organisation = records.organisation(self.http, person)
            else:
                reads = (partial(records.organisation, self.http, person), partial(activity_types.try_fetch, self.http))
                answers: list[Any] = run_together(*reads)
                organisation, types = answers[0], activity_types.keep_or_fall_back(self.cache, answers[1])
        if organisation is None:
            raise contact_gone("Pipedrive", status=404)
        type_key = activity_types.choose(types, keyword=keyword, options=self.options)
        if not type_key:
            raise activity_types.missing(keyword)
        return type_key, organisation

    def _owner(self, assignee: Assignee | None) -> Id:
        return assignee.user_id if assignee else self.user.id

    def _write_new(self, keyword: str, body: dict[str, Any], created: Callable[[Id], None]) -> LogResult:
        """Writes an activity of the type for ``keyword``; what it refers to and is gone is left out or replaced."""

        def send(values: dict[str, Any]) -> Id:
            return require_id(self.http.post("/api/v2/activities", json=values), "data.id")

        def without_owner(values: dict[str, Any]) -> dict[str, Any]:
            return {**values, "owner_id": activities.number(self.user.id)}

        def with_fresh_type(values: dict[str, Any]) -> dict[str, Any]:
            return {**values, "type": activity_types.fresh(self.http, self.cache, keyword, self.options)}

        log_id, left_out = send_without_gone(
            send,
            body,
            (
                *activities.DISPENSABLE_LINKS,
                Dispensable(what="organization", without=without_keys("org_id")),
                Dispensable(what="owner", noun="assigned user", without=without_owner),
                Dispensable(what="activity type", without=with_fresh_type, fate="was replaced"),
            ),
        )
        created(log_id)
        return log_written(log_id, _DONE[keyword], left_out, crm="Pipedrive")

    def _write_change(self, ref: LogRef, body: dict[str, Any], *, done: str) -> LogResult:
        log_id = activities.number(ref.log_id)

        def send(values: dict[str, Any]) -> None:
            if values:
                records.change(self.http, log_id, values)

        owner = Dispensable(what="owner", noun="assigned user", without=without_keys("owner_id"))
        _, left_out = send_without_gone(send, body, (*activities.DISPENSABLE_LINKS, owner))
        return log_written(log_id, done, left_out, crm="Pipedrive")

    def _outcome(self, ref: LogRef) -> LoggedCall | ConnectorError:
        try:
            return self.get_call_log(ref)
        except ConnectorError as error:
            return error

    def _logged_call(
        self, ref: LogRef, logs: Mapping[int, Mapping[str, Any]], names: Mapping[int, str]
    ) -> LoggedCall | ConnectorError:
        record = logs.get(activities.number(ref.log_id))
        if record is None:
            return records.gone()
        person = activities.number(ref.contact.id) if ref.contact else dig(record, "person_id", int, 0)
        return activities.logged_call(record, names.get(person, ""))

    def _find(self, marker: LogMarker) -> Id | None:
        """Activities have no field for a marker of ours: subject, minute, duration, person and owner identify the log.

        An owner who is gone was left out: then it is the connected user's.
        A person called twice in a minute has two that look alike: of those not known as another log's, the newest.
        """
        if marker.started_at is None:
            return None
        since = marker.started_at - _CLOCK_SKEW
        for owner in dict.fromkeys((str(self._owner(marker.assignee)), str(self.user.id))):  # an assignee may be gone
            written = records.written_since(self.http, since, person=marker.contact.id, owner=owner)
            alike = (require(row, "id", int) for row in written if activities.is_log_of(row, marker))
            mine = [log_id for log_id in alike if not marker.is_anothers(log_id)]
            if mine:
                return max(mine)
        return None


def _created_key(phone: PhoneNumber) -> str:
    return f"created:{phone.e164 or phone.raw.strip()}"
