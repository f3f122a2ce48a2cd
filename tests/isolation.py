"""Who sees, changes or uses whose records: every endpoint with one user's token against another user's records.

A cell is looked at from outside: does a mark of the other user stand in the reply, did a row of theirs change, did the
CRM get their log's id or their credentials?
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.forms.models import model_to_dict
from django.test import Client
from django.utils import timezone

from adapters.contract import (
    Contact,
    ContactMatches,
    Credentials,
    CrmAdapter,
    DirectoryUser,
    LicenseStatus,
    LoggedCall,
    LogResult,
    UserProfile,
)
from audit.models import CallLog, ConversationLog, LogState, MessageLog
from connectors.api.authentication import issue_token
from connectors.models import AccountSettings, CallDownEntry, ContactMatch, CrmUser, NoteDraft, RingCentralLogin
from connectors.services.identity import hashed

SESSION, DAY, MESSAGE, LOG_ID, DAY_ID = "sess-1", "day-1", "msg-1", "theirs-log-1", "theirs-day-1"
NUMBER = "+16505550100"
ENTRY = UUID(int=7)
PERIOD = "timeFrom=2026-05-01T00:00:00Z&timeTo=2026-05-08T00:00:00Z"
EXTENSIONS = {"rcExtensionList": [{"id": 1, "name": "Kim"}]}


@dataclass
class FakeRingCentral:
    """In place of the client that speaks to RingCentral with a token; everybody is an administrator of ``rc-mine``."""

    crm: FakeCrm
    token: str = ""

    def oauth(self, app: Any) -> FakeRingCentral:
        return self

    def exchange(self, *, code: str) -> Credentials:
        return Credentials(access_token="mine-token")

    def revoke(self, token: str) -> None:
        self.crm.asked.append(("revoke at RingCentral", token, ""))

    def get(self, path: str, **query: Any) -> Any:
        self.crm.asked.append(("RingCentral", self.token, path))
        me = {"id": 1, "account": {"id": "rc-mine"}, "permissions": {"admin": {"enabled": True}}}
        return {**me, "records": []}

    def post(self, path: str, **query: Any) -> Any:
        self.crm.asked.append(("RingCentral", self.token, path))
        return {"data": {"records": []}}


@dataclass
class FakeCrm:
    """Stands behind every adapter; keeps what it was asked, and with whose credentials."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def adapter_class(self, platform: str) -> type[CrmAdapter]:
        crm = self

        class Adapter(CrmAdapter):
            @classmethod
            def base_url(cls, context: Any) -> str:
                return "https://crm.example"

            def _ask(self, what: str, record: Any = "") -> str:
                crm.asked.append((what, self.credentials.access_token, str(record)))
                return f"of {self.credentials.access_token}"

            def login(self, form: Any) -> Credentials:
                return Credentials(access_token="mine-token")

            def exchange_code(self, callback: Any) -> Credentials:
                return Credentials(access_token="mine-token")

            def user_profile(self) -> UserProfile:
                return UserProfile(id="mine", name=self._ask("user"), account_id="tenant-mine")

            def revoke(self) -> None:
                self._ask("revoke")

            def validate_session(self) -> bool:
                return bool(self._ask("validate"))

            def refresh_user(self) -> UserProfile:
                return self.user_profile()

            def list_users(self) -> tuple[DirectoryUser, ...]:
                return (DirectoryUser(id="u1", name="Kim"), DirectoryUser(id="u2", name=self._ask("users")))

            def license_status(self) -> LicenseStatus:
                return LicenseStatus(is_valid=True, status=self._ask("license"))

            def account_data(self, key: str) -> Any:
                return self._ask("account data", key)

            def find_contacts(self, phone: Any) -> ContactMatches:
                return ContactMatches(contacts=(Contact(id=1, name=self._ask("contacts"), type="person"),))

            def find_contacts_by_name(self, name: str) -> ContactMatches:
                return self.find_contacts(None)

            def create_contact(self, draft: Any) -> Contact:
                return Contact(id=2, name=self._ask("contact"), type="person")

            def create_call_log(self, entry: Any) -> LogResult:
                self._ask("create call", entry.note)
                return LogResult(log_id="mine-log-1")

            def get_call_log(self, ref: Any) -> LoggedCall:
                return LoggedCall(subject=self._ask("read call", ref.log_id), body="")

            def update_call_log(self, ref: Any, change: Any) -> LogResult:
                self._ask("update call", ref.log_id)
                return LogResult(log_id=ref.log_id)

            def set_disposition(self, ref: Any, disposition: Any) -> LogResult:
                self._ask("disposition", ref.log_id)
                return LogResult(log_id=ref.log_id)

            def create_message_log(self, entry: Any) -> LogResult:
                self._ask("create messages", entry.conversation_log_id)
                return LogResult(log_id="mine-day-1")

            def update_message_log(self, ref: Any, change: Any) -> LogResult:
                self._ask("update messages", ref.log_id)
                return LogResult(log_id=ref.log_id)

        return Adapter


#: What the other user is to me, as columns of their row. The first is me: it shows that the detectors detect.
RELATIONS: dict[str, dict[str, Any]] = {
    "my own": {"rc_account_id": "rc-mine"},
    "colleague (same tenant)": {"crm_account_id": "tenant-mine", "rc_account_id": "rc-mine"},
    "same platform, other tenant": {"crm_account_id": "tenant-theirs"},
    "same platform, CRM names no tenant": {"crm_account_id": ""},
    "same platform, tenant and user ids, other host": {
        "crm_account_id": "tenant-mine",
        "identity_host": "eu.crm.example",
        "crm_user_id": "mine",
        "my_host": "us.crm.example",
    },
    "other platform, same tenant and user ids": {
        "platform": "pipedrive",
        "crm_account_id": "tenant-mine",
        "crm_user_id": "mine",
    },
}


def make_user(side: str, **columns: Any) -> CrmUser:
    values = {
        "platform": "testCRM",
        "crm_user_id": side,
        "rc_account_id": f"rc-{side}",
        "rc_account_verified": True,
        **columns,
    }
    wire_id = f"{values['crm_user_id']}-{values['platform']}"
    user = CrmUser(wire_id=wire_id, name=f"{side}-name", host=f"{side}-crm.example", **values)
    user.hashed_rc_extension_id = f"{side}-extension"
    user.settings = {"colour": {"value": f"{side}-setting", "customizable": True}}
    user.connected_at = user.last_seen_at = timezone.now()
    user.set_credentials(Credentials(access_token=f"{side}-token"))
    user.save()
    return user


def give_records(user: CrmUser) -> None:
    """A call log, a conversation, a note draft, a cached look-up and account settings."""
    owned = {"platform": user.platform, "owner": user.owner, "user": user, "state": LogState.LOGGED}
    now = timezone.now()
    CallLog.objects.create(session_id=SESSION, crm_log_id=LOG_ID, contact_id="theirs-contact", **owned)
    day = ConversationLog.objects.create(conversation_log_id=DAY, crm_log_id=DAY_ID, **owned)
    MessageLog.objects.create(platform=user.platform, owner=user.owner, message_id=MESSAGE, conversation=day)
    expires = now + timedelta(hours=1)
    NoteDraft.objects.create(user=user, session_id="sess-2", note="theirs-note", expires_at=expires)
    entry = CallDownEntry(id=ENTRY, user=user, contact_id="7", note="theirs-note", contact_name="theirs-callee")
    entry.save(force_insert=True)
    tokens = {"account_id": user.rc_account_id, "access_token": "theirs-token", "refresh_token": "theirs-refresh"}
    RingCentralLogin.objects.create(user=user, **tokens)
    AccountSettings.objects.get_or_create(
        pk=hashed(user.rc_account_id), defaults={"settings": {"theme": {"value": "theirs-theme"}}}
    )


def _call(session_id: str) -> dict[str, Any]:
    call = {"sessionId": session_id, "direction": "Inbound", "startTime": 1_777_777_777_000, "duration": 3}
    return {"logInfo": {**call, "from": {"phoneNumber": NUMBER}}, "contactId": 1, "note": "my note"}


def _messages(*ids: str) -> dict[str, Any]:
    rows = [{"id": i, "direction": "Inbound", "subject": "hello", "creationTime": 1_777_777_777_000} for i in ids]
    return {"logInfo": {"conversationId": "c", "conversationLogId": DAY, "messages": rows}, "contactId": 1}


#: What is sent, with the other user's ids wherever a caller can put ids. ``{hash}``: the hash of their account id.
REQUESTS: dict[str, tuple[str, str, Any]] = {
    "GET /contact": ("GET", "/contact?phoneNumber=" + NUMBER.replace("+", "%2B"), None),
    "POST /contact": ("POST", "/contact", {"phoneNumber": NUMBER, "newContactName": "Ada"}),
    "GET /custom/contact/search": ("GET", "/custom/contact/search?name=Ada", None),
    "GET /callLog": ("GET", f"/callLog?sessionIds={SESSION}", None),
    "GET /callLog with details": ("GET", f"/callLog?sessionIds={SESSION}&requireDetails=true", None),
    "GET /callLog with their extension": (
        "GET", f"/callLog?sessionIds={SESSION}&requireDetails=true&hashedExtensionId=theirs-extension", None,
    ),
    "POST /callLog, their session": ("POST", "/callLog", _call(SESSION)),
    "POST /callLog, their draft": ("POST", "/callLog", {**_call("sess-2"), "note": ""}),
    "PATCH /callLog": ("PATCH", "/callLog", {"sessionId": SESSION, "note": "changed"}),
    "POST /callLog/cacheNote": ("POST", "/callLog/cacheNote", {"sessionId": "sess-2", "note": "changed"}),
    "PUT /callDisposition": ("PUT", "/callDisposition", {"sessionId": SESSION, "dispositions": {"deals": 1}}),
    "POST /messageLog, their message": ("POST", "/messageLog", _messages(MESSAGE)),
    "POST /messageLog, a new message": ("POST", "/messageLog", _messages("msg-2")),
    "GET /user/settings": ("GET", "/user/settings?rcAccessToken=mine", None),
    "POST /user/settings": ("POST", "/user/settings", {"userSettings": {"colour": {"value": "changed"}}}),
    "GET /user/preloadSettings by hash": ("GET", "/user/preloadSettings?rcAccountId={hash}", None),
    "GET /user/preloadSettings by token": ("GET", "/user/preloadSettings?rcAccessToken=mine", None),
    "GET /admin/settings": ("GET", "/admin/settings?rcAccessToken=mine", None),
    "POST /admin/settings": (
        "POST", "/admin/settings?rcAccessToken=mine", {"adminSettings": {"userSettings": {"theme": {"value": "new"}}}},
    ),
    "GET /admin/serverLoggingSettings": ("GET", "/admin/serverLoggingSettings", None),
    "POST /admin/serverLoggingSettings": (
        "POST", "/admin/serverLoggingSettings", {"additionalFieldValues": {"password": "mine"}},
    ),
    "POST /admin/userMapping": ("POST", "/admin/userMapping?rcAccessToken=t", EXTENSIONS),
    "POST /admin/reinitializeUserMapping": ("POST", "/admin/reinitializeUserMapping?rcAccessToken=t", EXTENSIONS),
    "GET /ringcentral/oauth/callback": ("GET", "/ringcentral/oauth/callback?code=c", None),
    "GET /ringcentral/admin/report": ("GET", f"/ringcentral/admin/report?{PERIOD}&rcAccountId=rc-theirs", None),
    "GET /ringcentral/admin/userReport": ("GET", f"/ringcentral/admin/userReport?{PERIOD}&rcExtensionId=1", None),
    "GET /calldown": ("GET", "/calldown?status=All", None),
    "POST /calldown": ("POST", "/calldown?rcAccountId=rc-theirs", {"contactId": "7", "phoneNumber": NUMBER}),
    "PATCH /calldown/<str:entry_id>": ("PATCH", f"/calldown/{ENTRY.hex}", {"note": "mine now", "status": "called"}),
    "DELETE /calldown/<str:entry_id>": ("DELETE", f"/calldown/{ENTRY.hex}", None),
    "GET /accountData": ("GET", "/accountData?keys=anything", None),
    "GET /hostname": ("GET", "/hostname", None),
    "GET /authValidation": ("GET", "/authValidation", None),
    "GET /licenseStatus": ("GET", "/licenseStatus", None),
    "POST /user/refreshInfo": ("POST", "/user/refreshInfo", {}),
    "POST /apiKeyLogin": ("POST", "/apiKeyLogin", {"platform": "testCRM", "apiKey": "mine"}),
    "GET /oauth-callback": (
        "GET", "/oauth-callback?callbackUri=https://x.test/?code=c&state=platform=testCRM&rcAccountId=rc-theirs", None,
    ),
    "POST /unAuthorize": ("POST", "/unAuthorize", {}),
    "GET /crmManifest": ("GET", "/crmManifest", None),
    "GET /implementedInterfaces": ("GET", "/implementedInterfaces?platform=testCRM", None),
    "GET /userInfoHash": ("GET", "/userInfoHash?extensionId=1&accountId=2", None),
    "GET /isAlive": ("GET", "/isAlive", None),
    "GET /serverVersionInfo": ("GET", "/serverVersionInfo", None),
    "GET /releaseNotes": ("GET", "/releaseNotes", None),
}  # fmt: skip

#: Cells that are not "nothing", and why that is right.
SHARED_WITH_COLLEAGUES = {
    "GET /callLog",
    "GET /callLog with details",
    "GET /callLog with their extension",
    "PATCH /callLog",
    "PUT /callDisposition",
    "POST /messageLog, a new message",
    "GET /user/settings",
    "GET /user/preloadSettings by token",
    "GET /admin/settings",
    "POST /admin/settings",
    "POST /admin/userMapping",
    "POST /admin/reinitializeUserMapping",
}
#: Asked before a login, by clients that know nothing but the hash of an account's id; it opens display settings only.
OPEN_TO_THE_HASH = {"GET /user/preloadSettings by hash"}


#: The requests that say or do nothing about anybody's records.
IMPERSONAL = {
    "GET /accountData",
    "GET /admin/serverLoggingSettings",
    "POST /admin/serverLoggingSettings",
    "POST /messageLog, their message",
    "POST /callLog, their session",
    "GET /crmManifest",
    "GET /implementedInterfaces",
    "GET /userInfoHash",
    "GET /isAlive",
    "GET /serverVersionInfo",
    "GET /releaseNotes",
    "POST /apiKeyLogin",
    "GET /oauth-callback",
}


def expected(request: str, relation: str) -> bool:
    """Whether this request may touch the other user's records."""
    if relation == "my own":
        return request not in IMPERSONAL
    colleague = relation.startswith("colleague")
    return request in OPEN_TO_THE_HASH or (colleague and request in SHARED_WITH_COLLEAGUES)


def _rows_of(user: CrmUser) -> list[Any]:
    mine = {"platform": user.platform, "owner": user.owner}
    rows: list[Any] = [CrmUser.objects.get(pk=user.pk)]
    rows += [*CallLog.objects.filter(**mine, session_id=SESSION), *ConversationLog.objects.filter(**mine)]
    rows += [*MessageLog.objects.filter(**mine), *NoteDraft.objects.filter(user=user)]
    rows += [*CallDownEntry.objects.filter(user=user), *RingCentralLogin.objects.filter(user=user)]
    rows += [*ContactMatch.objects.filter(user=user), *AccountSettings.objects.filter(pk=hashed(user.rc_account_id))]
    return [(type(row).__name__, str(row.pk), str(model_to_dict(row)), str(row.__dict__.get("claim"))) for row in rows]


def touched(request: str, mine: CrmUser, theirs: CrmUser, crm: FakeCrm) -> list[str]:
    """What of the other user's the request showed, changed or used; empty when nothing."""
    method, target, body = REQUESTS[request]
    before = _rows_of(theirs)
    crm.asked.clear()
    target = target.replace("{hash}", hashed(theirs.rc_account_id))
    target += f"{'&' if '?' in target else '?'}jwtToken={issue_token(mine)}"
    reply = Client(raise_request_exception=False).generic(
        method,
        target,
        json.dumps(body) if body is not None else "",
        content_type="application/json",
        headers={"rc-account-id": hashed(theirs.rc_account_id), "rc-extension-id": "theirs-extension"},
    )
    assert reply.status_code < 500, (request, reply.status_code)
    found = [f"shown: {mark}" for mark in ("theirs-", "of theirs") if mark in reply.content.decode()]
    if _rows_of(theirs) != before:
        found.append("changed")
    for what, token, record in crm.asked:
        if token == "theirs-token":
            found.append(f"credentials used: {what}")
        if "theirs-" in record:
            found.append(f"used: {what}")
    return found


def cells(prepare: Callable[[], Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Every request for every relation, each in a database of its own; ``prepare`` gives a context manager."""
    for request in REQUESTS:
        for relation, columns in RELATIONS.items():
            with prepare() as crm:
                given = dict(columns)
                host = given.pop("my_host", "")
                mine = make_user("mine", crm_account_id="tenant-mine", identity_host=host)
                theirs = make_user("theirs", **given)
                give_records(theirs)
                if relation == "my own":
                    mine = theirs
                yield request, relation, touched(request, mine, theirs, crm)


def as_markdown(results: dict[tuple[str, str], list[str]]) -> str:
    lines = ["| Request with my token | " + " | ".join(RELATIONS) + " |", "|---" * (len(RELATIONS) + 1) + "|"]
    for request in REQUESTS:
        row = ["; ".join(results[request, relation]) or "nothing" for relation in RELATIONS]
        lines.append(f"| `{request}` | " + " | ".join(row) + " |")
    return "\n".join(lines)
