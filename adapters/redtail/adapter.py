"""The Redtail adapter: calls and messages become completed activities of a contact.

Redtail's quirks: a login is exchanged for a key that never ends; the country code stands apart from the number; page
size and what comes along are request headers; an activity is created open; there is no zone and no look-up by marker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta, tzinfo
from typing import Any

from adapters.contract import (
    AdapterContext,
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
    Disposition,
    Id,
    LogFormat,
    LoggedCall,
    LoginForm,
    LogMarker,
    LogRef,
    LogResult,
    MessageLogChange,
    MessageLogEntry,
    NewContactOffer,
    Notice,
    NoticeLevel,
    PhoneNumber,
    Reply,
    RequestRejected,
    UserProfile,
    dig,
    precondition,
    require,
    require_id,
)
from adapters.redtail import activities, followups, people, replies, sign_in
from adapters.redtail.categories import DEFAULT_CATEGORY, Categories, category_of, chosen_category, read_categories
from adapters.redtail.replies import PagedList, full_name, number_of, record_id
from adapters.redtail.time_zone import chosen_zone

_USERS = PagedList(path="lists/database_users", key="database_users")
_MOST_USER_PAGES = 40
_CATEGORY_REPLACED = "Logged, but without the chosen category, which Redtail no longer offers."
_NO_CATEGORY = "Redtail no longer offers this category. Choose another one."


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
        if changed:
            self.http.put(f"activities/{log_id}", json=changed)
        notice = None
        is_first = activities.NOTE_HEADING in changed.get("description", "")
        if change.note and change.note.strip() and is_first and activities.NOTE_HEADING not in current.body:
            category = number_of(current.dispositions.get("category")) or DEFAULT_CATEGORY
            notice = followups.note_added(self.http, log_id, change.note, category)
        return LogResult(log_id=log_id, notice=notice)

    def set_disposition(self, ref: LogRef, disposition: Disposition) -> LogResult | None:
        """Another category. An activity always has one, so choosing none changes nothing."""
        category = chosen_category(disposition.fields)
        if category is None:
            return None
        log_id = record_id(ref.log_id, noun="activity")
        try:
            self.http.put(f"activities/{log_id}", json={"category_id": category})
        except RequestRejected as error:
            if not replies.refuses_category(error):
                raise
            raise RequestRejected(_NO_CATEGORY, reason=error.reason, status=error.status) from None
        return LogResult(log_id=log_id)

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
        """One read and one write, however many messages; a shared conversation is replaced in one write."""
        log_id = record_id(ref.log_id, noun="activity")
        category = chosen_category(change.submission)
        changed: dict[str, Any] = {} if category is None else {"category_id": category}
        if change.is_shared:
            if change.body and change.body.strip():
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
        if not changed:
            return LogResult(log_id=log_id)
        _, notice = _with_category(lambda body: self.http.put(f"activities/{log_id}", json=body), changed, {})
        return LogResult(log_id=log_id, notice=notice)

    def find_message_log(self, marker: LogMarker) -> Id | None:
        """As for calls."""
        return self.find_call_log(marker)

    # --- the rest ----------------------------------------------------------------------------------

    def list_users(self) -> tuple[DirectoryUser, ...]:
        return tuple(
            DirectoryUser(id=require_id(row, "id"), name=full_name(row))
            for row in _USERS.all(self.http, most_pages=_MOST_USER_PAGES)
            if not dig(row, "deleted", bool, False)
        )

    def setting_options(self) -> dict[str, Any]:
        """The categories, read anew: at login it is not known yet whose cache to ask."""
        return {"defaultCategory": [{"id": row["const"], "name": row["title"]} for row in read_categories(self.http)]}

    def zone(self) -> tzinfo:
        """The zone of the user's settings: Redtail knows none."""
        return chosen_zone(self.options.text("redtailCustomTimezone")) or super().zone()

    def _logged(
        self, what: str, activity: dict[str, Any], created: Callable[[Id], None], *, note: str = ""
    ) -> LogResult:
        default = {"category_id": DEFAULT_CATEGORY}
        reply, replaced = _with_category(lambda body: self.http.post("activities", json=body), activity, default)
        log_id = require_id(reply, "activity.id")
        created(log_id)
        category = DEFAULT_CATEGORY if replaced else activity["category_id"]
        unfinished = followups.finish(self.http, log_id, what=what, note=note, category=category)
        return LogResult(log_id=log_id, notice=unfinished or replaced)


def _with_category(
    send: Callable[[dict[str, Any]], Any], body: dict[str, Any], otherwise: dict[str, Any]
) -> tuple[Any, Notice | None]:
    """Sends an activity; where its category was deleted since, once more with ``otherwise`` in its place."""
    try:
        return send(body), None
    except RequestRejected as error:
        without = {key: value for key, value in body.items() if key != "category_id"} | otherwise
        if not without or without == body or not replies.refuses_category(error):
            raise
    return send(without), Notice(message=_CATEGORY_REPLACED, level=NoticeLevel.WARNING)
