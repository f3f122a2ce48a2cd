"""The Redtail adapter: calls and messages become completed activities of a contact.

Redtail's quirks: a login is exchanged for a key that never ends; the country code stands apart from the number; page
size and what comes along are request headers; an activity is created open; there is no zone and no look-up by marker.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta, tzinfo
from typing import Any

from adapters.contract import (
    AdapterContext,
    AdoptedLogin,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    Contact,
    ContactDraft,
    ContactMatches,
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
    LoginForm,
    LogMarker,
    LogRef,
    LogResult,
    Manifest,
    MessageLogChange,
    MessageLogEntry,
    NewContactOffer,
    Notice,
    PhoneNumber,
    Reply,
    UserProfile,
    dig,
    is_deleted,
    log_written,
    precondition,
    readable,
    require,
    require_id,
    send_without_gone,
    without_keys,
)
from adapters.redtail import activities, followups, people, replies, sign_in
from adapters.redtail.categories import CACHE_KEY as CATEGORIES_KEY
from adapters.redtail.categories import (
    DEFAULT_CATEGORY,
    Categories,
    category_of,
    chosen_category,
    read_categories,
    replacement,
)
from adapters.redtail.replies import PagedList, full_name, number_of, record_id
from adapters.redtail.time_zone import chosen_zone

_USERS = PagedList(path="lists/database_users", key="database_users")
_MOST_USER_PAGES = 40
_ATTENDEES = Dispensable(what="owner", noun="assigned user", without=without_keys("attendees"))


class Adapter(CrmAdapter):
    """Translates Switchboard's operations into requests to Redtail's public API."""

    log_format = LogFormat.HTML

    @classmethod
    def auth_headers(cls, context: AdapterContext) -> dict[str, str]:
        """API key and user key together; the vendor's documentation always has the scheme's word."""
        user_key = context.credentials.access_token
        if not user_key:
            return {}
        return {"Authorization": sign_in.key_header(context.secrets["REDTAIL_API_KEY"], user_key)}

    def explain(self, reply: Reply) -> ConnectorError | None:
        return replies.explain(reply)

    # --- login and logout --------------------------------------------------------------------------

    def login(self, form: LoginForm) -> Credentials:
        return sign_in.exchange(self.http, api_key=self.secrets["REDTAIL_API_KEY"], form=form)

    @classmethod
    def adopt(cls, former: FormerLogin, *, manifest: Manifest, allowed: Sequence[str]) -> AdoptedLogin:
        return sign_in.adopted(former)

    def user_profile(self) -> UserProfile:
        """Who logged in. Asks for the person's name only where the login did not tell it."""
        return self._profile(full_name(self.credentials.extra) or self._name_in_directory())

    def refresh_user(self) -> UserProfile:
        return self._profile(self._name_in_directory() or full_name(self.credentials.extra))

    def revoke(self) -> None:
        """Redtail has no request to end a user key; it is forgotten here."""

    def validate_session(self) -> bool:
        try:
            read_categories(self.http)
        except CredentialsRejected:
            return False
        return True

    def connected_notice(self) -> Notice:
        return replace(super().connected_notice(), ttl=3000)

    def _profile(self, name: str) -> UserProfile:
        """The user's id is the user name as typed; it is what the extension has always been given."""
        facts = self.credentials.extra
        username = require(facts, "username", str)
        return UserProfile(
            id=username,
            id_ignores_case=True,
            name=name or username,
            hostname=sign_in.page_host(self.credentials.hostname or self.user.hostname),
            account_id=dig(facts, "database_id", str, ""),
            extra={"redtail_user_id": facts.get("user_id")},
        )

    def _name_in_directory(self) -> str:
        user_id = number_of(self.credentials.extra.get("user_id"))
        if user_id is None:
            return ""
        try:
            reply = self.http.get(f"lists/database_users/{user_id}")
        except CredentialsRejected:
            raise
        except ConnectorError:  # nobody is kept out for want of a name
            return ""
        return full_name(dig(reply, "database_users", dict, {}))

    # --- contacts ----------------------------------------------------------------------------------

    def find_contacts(self, phone: PhoneNumber) -> ContactMatches:
        return people.by_phone(self.http, self.cache, phone)

    def new_contact_offer(self) -> NewContactOffer:
        return people.offer(self.http, self.cache)

    def find_contacts_by_name(self, name: str) -> ContactMatches:
        return people.by_name(self.http, self.cache, name)

    def create_contact(self, draft: ContactDraft) -> Contact:
        reply = self.http.post("contacts", json=people.new_contact(draft))
        info = Categories(self.http, self.cache).info()
        return people.created_contact(require(reply, "contact", dict), draft, info)

    # --- call logs ---------------------------------------------------------------------------------

    def create_call_log(self, entry: CallLogEntry) -> LogResult:
        """The activity counts as soon as it exists; completing it and adding the note follow together."""
        activity = activities.new_activity(
            subject=entry.subject,
            body=entry.body,
            contact=entry.contact,
            started_at=entry.started_at,
            ended_at=entry.started_at + timedelta(seconds=entry.duration or 0),
            category=category_of(entry.submission, self.options),
            assignee=entry.assignee,
        )
        return self._logged("Call", activity, entry.created, note=entry.note)

    def get_call_log(self, ref: LogRef) -> LoggedCall:
        return activities.logged_call(activities.read_activity(self.http, ref))

    def update_call_log(self, ref: LogRef, change: CallLogChange) -> LogResult:
        """Sends what differs; a note that appears for the first time is also added to the activity's notes."""
        log_id = record_id(ref.log_id, noun="activity")
        current = change.current or LoggedCall()
        changed = activities.call_changes(change, current)
        left_out = self._change(log_id, changed)
        notice = None
        is_first = activities.has_note(changed.get("description", "")) and not activities.has_note(current.body)
        if change.note and change.note.strip() and is_first:
            category = number_of(current.dispositions.get("category")) or DEFAULT_CATEGORY
            notice = followups.note_added(self.http, log_id, change.note, category)
        return log_written(log_id, "Call log updated", left_out, crm="Redtail", further=notice)

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        """Another category. An activity always has one, so choosing none changes nothing."""
        category = chosen_category(disposition.fields)
        if category is None:
            return None
        log_id = record_id(ref.log_id, noun="activity")
        left_out = self._change(log_id, {"category_id": category})
        return log_written(log_id, "Call log updated", left_out, crm="Redtail")

    def find_call_log(self, marker: LogMarker) -> Id | None:
        """By subject, start and author: an activity has no field for a marker."""
        return activities.find_activity(
            self.http, marker, user_id=number_of(dig(self.user.extra, "redtail_user_id", int, None))
        )

    def complete_call_log(self, log_id: Id, entry: CallLogEntry) -> LogResult:
        """The attempt whose answer was lost may have ended before the activity was completed, or its note added."""
        category = category_of(entry.submission, self.options)
        notice = followups.finish(self.http, log_id, what="Call", note=entry.note, category=category, may_be_done=True)
        return LogResult(log_id=log_id, notice=notice)

    # --- message logs ------------------------------------------------------------------------------

    def create_message_log(self, entry: MessageLogEntry) -> LogResult:
        activity = activities.new_activity(
            subject=entry.subject,
            body=entry.body,
            contact=entry.contact,
            started_at=entry.started_at,
            ended_at=entry.ended_at,
            category=category_of(entry.submission, self.options),
            assignee=entry.assignee,
        )
        return self._logged("Message", activity, entry.created)

    def update_message_log(self, ref: LogRef, change: MessageLogChange) -> LogResult:
        """One read and one write, however many messages.

        A shared conversation is read too: Redtail takes changes of an activity in its trash, where nobody sees them.
        """
        log_id = record_id(ref.log_id, noun="activity")
        category = chosen_category(change.submission)
        changed: dict[str, Any] = {} if category is None else {"category_id": category}
        if change.is_shared:
            if change.body and change.body.strip():
                activities.read_activity(self.http, ref)
                changed |= {"description": change.body, "end_date": activities.timestamp(change.ended_at)}
        elif change.messages:
            with precondition(reads_the_record=True):
                activity = activities.read_activity(self.http, ref)
            body = activities.description(activity)
            extended = change.append(body, change.messages)
            if extended != body:
                end = activities.later_end(activity, change.ended_at)
                changed |= {"description": extended, "end_date": activities.timestamp(end)}
            elif not dig(activity, "completed", bool, True):
                changed["completed"] = True  # the attempt that wrote these messages ended before this step
        return log_written(log_id, "Message logged", self._change(log_id, changed), crm="Redtail")

    def find_message_log(self, marker: LogMarker) -> Id | None:
        """As for calls."""
        return self.find_call_log(marker)

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:
        living = [row for row in _USERS.all(self.http, most_pages=_MOST_USER_PAGES) if not is_deleted(row)]
        return tuple(readable(living, lambda row: DirectoryUser(id=require_id(row, "id"), name=full_name(row)))[0])

    def setting_options(self) -> dict[str, Any]:
        """The categories that forms offer now: a look-up that reads them anew renews this choice too."""
        rows = Categories(self.http, self.cache).rows()
        return {"defaultCategory": [{"id": row["const"], "name": row["title"]} for row in rows]}

    def zone(self) -> tzinfo:
        """The zone of the user's settings: Redtail knows none."""
        return chosen_zone(self.options.text("redtailCustomTimezone")) or super().zone()

    def _logged(
        self, what: str, activity: dict[str, Any], created: Callable[[Id], None], *, note: str = ""
    ) -> LogResult:
        sent = dict(activity)

        def send(body: dict[str, Any]) -> Id:
            sent.update(body)
            return require_id(self.http.post("activities", json=body), "activity.id")

        def with_living_category(body: dict[str, Any]) -> dict[str, Any]:
            return {**body, "category_id": replacement(self.http, self.cache, body["category_id"])}

        log_id, left_out = send_without_gone(
            send,
            activity,
            (Dispensable(what="category", without=with_living_category, fate="was replaced"), _ATTENDEES),
        )
        created(log_id)
        unfinished = followups.finish(self.http, log_id, what=what, note=note, category=sent["category_id"])
        return log_written(log_id, f"{what} logged", left_out, crm="Redtail", further=unfinished)

    def _change(self, log_id: int, changed: dict[str, Any]) -> tuple[Dispensable, ...]:
        """What was left out of the change because it is gone."""

        def send(body: dict[str, Any]) -> None:
            if body:
                activities.change(self.http, log_id, body)

        def without_category(body: dict[str, Any]) -> dict[str, Any]:
            self.cache.forget(CATEGORIES_KEY)
            return without_keys("category_id")(body)

        return send_without_gone(send, changed, (Dispensable(what="category", without=without_category), _ATTENDEES))[1]
