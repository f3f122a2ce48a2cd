"""What each endpoint of the extension's API is for, takes and answers: the table behind the OpenAPI description."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from adapters import registry
from connectors.api import (
    call_down,
    call_logs,
    contacts,
    conversations,
    dispositions,
    note_drafts,
    replies,
    sessions,
    settings,
    user_mapping,
)
from connectors.services.ringcentral_reports import GROUPS


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path. ``reply`` None: plain text. ``query``: a serializer, or names with their meaning."""

    summary: str
    tag: str
    query: type[serializers.Serializer[Any]] | dict[str, str] = field(default_factory=dict)
    #: Parts of the path, with their meaning.
    path: dict[str, str] = field(default_factory=dict)
    #: Values of a parameter where they are few.
    choices: dict[str, list[str]] = field(default_factory=dict)
    body: type[serializers.Serializer[Any]] | None = None
    reply: type[serializers.Serializer[Any]] | serializers.BaseSerializer[Any] | dict[str, Any] | None = None
    request_example: Any = None
    reply_example: Any = None

    def parameters(self) -> list[Any]:
        parts = [
            OpenApiParameter(name, str, OpenApiParameter.PATH, description=text) for name, text in self.path.items()
        ]
        if isinstance(self.query, dict):
            return parts + [
                OpenApiParameter(name, str, description=text, enum=self.choices.get(name))
                for name, text in self.query.items()
            ]
        return [*parts, self.query]


class AdminSettingsWrite(serializers.Serializer[Any]):
    adminSettings = settings.AdminSettingsBody()


class ServerLoggingWrite(serializers.Serializer[Any]):
    additionalFieldValues = serializers.DictField()


def _platform() -> str:
    """The platform of the examples: the sandbox CRM where it is on."""
    manifests = registry.manifests()
    return next((name for name, manifest in manifests.items() if manifest.server.sandbox), next(iter(manifests), ""))


_OBJECT = {"type": "object", "additionalProperties": True}
_CONTACT = {"id": 1, "name": "Ada Byron", "phone": "+16505550100", "type": "contact", "additionalInfo": {}}
_CALL = {
    "logInfo": {
        "sessionId": "1234567890",
        "telephonySessionId": "s-a1b2",
        "direction": "Inbound",
        "startTime": "2026-05-04T16:31:07Z",
        "duration": 64,
        "result": "Call connected",
        "from": {"phoneNumber": "+16505550100", "name": "Ada Byron"},
        "to": {"phoneNumber": "+16505550101"},
    },
    "contactId": 1,
    "contactName": "Ada Byron",
    "note": "Wants a quote",
    "additionalSubmission": {},
}
_CONVERSATION = {
    "logInfo": {
        "conversationId": "c-1",
        "conversationLogId": "c-1/2026-05-04",
        "correspondents": [{"phoneNumber": "+16505550100", "name": "Ada Byron"}],
        "messages": [
            {
                "id": 9001,
                "direction": "Inbound",
                "subject": "Are you there?",
                "creationTime": "2026-05-04T16:31:07Z",
                "from": {"phoneNumber": "+16505550100"},
                "to": [{"phoneNumber": "+16505550101"}],
            }
        ],
    },
    "contactId": 1,
}
_RC_TOKEN = {"rcAccessToken": "RingCentral access token; better in the header X-RC-Access-Token"}
_PERIOD = {
    "timeFrom": "ISO 8601",
    "timeTo": "ISO 8601",
    "timezone": "name of the time zone, such as America/Los_Angeles",
}
_EXTENSIONS = {
    "rcExtensionList": [{"id": 101, "name": "Kim Lee", "extensionNumber": "101", "email": "kim@example.com"}]
}
_MAPPED = [
    {
        "crmUser": {"id": 7, "name": "Kim Lee", "email": "kim@example.com"},
        "rcUser": {"extensionId": 101, "name": "Kim Lee", "extensionNumber": "101", "email": "kim@example.com"},
    }
]
_LOGGED = {"message": "Call logged", "messageType": "success", "ttl": 2000}

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/crmManifest"): Operation(
        summary="Every platform this server offers, or one",
        tag="Server",
        query={"platformName": "a platform key; default: all"},
        choices={"platformName": ["default", *registry.manifests()]},
        reply=replies.ManifestReply,
    ),
    ("GET", "/isAlive"): Operation(summary="OK while the server runs", tag="Server"),
    ("GET", "/serverVersionInfo"): Operation(summary="The server's version", tag="Server", reply=replies.Version),
    ("GET", "/releaseNotes"): Operation(summary="What is new, by version", tag="Server", reply=_OBJECT),
    ("GET", "/implementedInterfaces"): Operation(
        summary="Which functions a platform offers",
        tag="Server",
        query={"platform": "a platform key"},
        choices={"platform": list(registry.manifests())},
        reply={"type": "object", "additionalProperties": {"type": "boolean"}},
    ),
    ("GET", "/userInfoHash"): Operation(
        summary="Hashed RingCentral ids, which the extension then sends as headers",
        tag="Server",
        query={"extensionId": "RingCentral extension id", "accountId": "RingCentral account id"},
        reply=replies.Hashes,
    ),
    ("GET", "/oauth-callback"): Operation(
        summary="Completes an OAuth login; a refusal is a reply without jwtToken",
        tag="Session",
        query={
            "callbackUri": "the address the CRM redirected to, with code and state",
            "rcAccountId": "RingCentral account id, as claimed",
            "hostname": "host of the user's CRM",
        },
        reply=replies.Welcome,
    ),
    ("POST", "/apiKeyLogin"): Operation(
        summary="Logs in with an API key, or with name and password; a refusal is a 400",
        tag="Session",
        body=sessions.KeyLogin,
        reply=replies.Welcome,
        request_example={"platform": _platform(), "apiKey": "demo-key", "hostname": "", "additionalInfo": {}},
    ),
    ("POST", "/unAuthorize"): Operation(summary="Ends the session", tag="Session", reply=replies.Farewell),
    ("GET", "/hostname"): Operation(summary="Host of the user's CRM", tag="Session"),
    ("GET", "/authValidation"): Operation(
        summary="Whether the login at the CRM still holds", tag="Session", reply=replies.Outcome
    ),
    ("GET", "/licenseStatus"): Operation(summary="The user's licence", tag="Session", reply=replies.License),
    ("POST", "/user/refreshInfo"): Operation(
        summary="Reads the user's name and time zone from the CRM again", tag="Session", reply=replies.Outcome
    ),
    ("GET", "/user/settings"): Operation(
        summary="The user's settings under the administrator's", tag="Settings", query=_RC_TOKEN, reply=_OBJECT
    ),
    ("POST", "/user/settings"): Operation(
        summary="Stores settings of the user",
        tag="Settings",
        body=settings.UserSettingsBody,
        reply=replies.UserSettings,
        request_example={"userSettings": {"addCallLogNote": {"value": True}}, "settingKeysToRemove": []},
    ),
    ("GET", "/user/preloadSettings"): Operation(
        summary="Settings of an account, before a login",
        tag="Settings",
        query={"rcAccountId": "hashed RingCentral account id", **_RC_TOKEN},
        reply=replies.UserSettings,
    ),
    ("GET", "/admin/settings"): Operation(
        summary="Settings of the account, for its administrator",
        tag="Settings",
        query=_RC_TOKEN,
        reply=replies.AdminSettings,
    ),
    ("POST", "/admin/settings"): Operation(
        summary="Stores settings of the account", tag="Settings", query=_RC_TOKEN, body=AdminSettingsWrite
    ),
    ("GET", "/admin/serverLoggingSettings"): Operation(
        summary="What the CRM needs to log calls while nobody is signed in", tag="Settings", reply=_OBJECT
    ),
    ("POST", "/admin/serverLoggingSettings"): Operation(
        summary="Stores it",
        tag="Settings",
        body=ServerLoggingWrite,
        reply=replies.Outcome,
        request_example={"additionalFieldValues": {}},
    ),
    ("POST", "/admin/userMapping"): Operation(
        summary="CRM users with the RingCentral users mapped to them",
        tag="Settings",
        query=_RC_TOKEN,
        body=user_mapping.UserMappingBody,
        reply=replies.MappedUser(many=True),
        request_example=_EXTENSIONS,
        reply_example=_MAPPED,
    ),
    ("POST", "/admin/reinitializeUserMapping"): Operation(
        summary="The same, matched anew by e-mail and name",
        tag="Settings",
        query=_RC_TOKEN,
        body=user_mapping.UserMappingBody,
        reply=replies.MappedUser(many=True),
        request_example=_EXTENSIONS,
        reply_example=_MAPPED,
    ),
    ("GET", "/ringcentral/oauth/callback"): Operation(
        summary="Keeps an administrator's RingCentral login, for reports",
        tag="Reports",
        query={"code": "interop code of RingCentral"},
        reply=replies.Done,
    ),
    ("GET", "/ringcentral/admin/report"): Operation(
        summary="The company's calls",
        tag="Reports",
        query={**_PERIOD, "groupBy": "groups in place of one sum"},
        choices={"groupBy": list(GROUPS)},
        reply=_OBJECT,
    ),
    ("GET", "/ringcentral/admin/userReport"): Operation(
        summary="Calls and texts of one extension",
        tag="Reports",
        query={**_PERIOD, "rcExtensionId": "RingCentral extension id; default: the administrator's own"},
        reply=_OBJECT,
    ),
    ("GET", "/accountData"): Operation(
        summary="Account-wide choices for forms",
        tag="Contacts",
        query={"keys": "comma-separated keys the manifest declares"},
        reply=replies.AccountData,
    ),
    ("GET", "/contact"): Operation(
        summary="Contacts with a phone number",
        tag="Contacts",
        query=contacts.LookUp,
        reply=replies.ContactsReply,
        reply_example={"successful": True, "returnMessage": None, "contact": [_CONTACT]},
    ),
    ("POST", "/contact"): Operation(
        summary="Creates a contact",
        tag="Contacts",
        body=contacts.NewContact,
        reply=replies.NewContactReply,
        request_example={
            "phoneNumber": "+16505550100",
            "newContactName": "Ada Byron",
            "newContactType": "contact",
            "additionalSubmission": {},
        },
    ),
    ("GET", "/custom/contact/search"): Operation(
        summary="Contacts with a name", tag="Contacts", query=contacts.NameSearch, reply=replies.ContactsReply
    ),
    ("GET", "/callLog"): Operation(
        summary="Which sessions are logged, with details if asked",
        tag="Call logs",
        query={
            "sessionIds": "comma-separated RingCentral session ids",
            "requireDetails": "true: read the logs from the CRM",
            "extensionNumber": "extension that took the call",
            "hashedExtensionId": "the same, hashed",
        },
        reply=replies.CallLogsReply,
    ),
    ("POST", "/callLog"): Operation(
        summary="Logs a call, once",
        tag="Call logs",
        body=call_logs.NewCallLog,
        reply=replies.CallLogReply,
        request_example=_CALL,
        reply_example={"successful": True, "logId": "call-1", "returnMessage": _LOGGED},
    ),
    ("PATCH", "/callLog"): Operation(
        summary="Changes a logged call; what people wrote in the CRM stays",
        tag="Call logs",
        body=call_logs.CallLogEdit,
        reply=replies.CallLogEditReply,
        request_example={"sessionId": "1234567890", "note": "Called back"},
    ),
    ("POST", "/callLog/cacheNote"): Operation(
        summary="Keeps a note until the call is logged",
        tag="Call logs",
        body=note_drafts.NoteBody,
        reply=replies.NoteReply,
        request_example={"sessionId": "1234567890", "note": "Wants a quote"},
    ),
    ("PUT", "/callDisposition"): Operation(
        summary="Sets choices on a logged call",
        tag="Call logs",
        body=dispositions.DispositionBody,
        reply=replies.Outcome,
        request_example={"sessionId": "1234567890", "dispositions": {"deals": 1}},
    ),
    ("GET", "/calldown"): Operation(
        summary="Whom the user wants to call, by time",
        tag="Call-down list",
        query={"status": "which entries; default: all"},
        choices={"status": ["All", "Called", "Not Called", "Scheduled"]},
        reply=replies.CallDownReply,
    ),
    ("POST", "/calldown"): Operation(
        summary="Adds an entry to the user's own list",
        tag="Call-down list",
        body=call_down.CallDownBody,
        reply=replies.CallDownAdded,
        request_example={
            "contactId": 1,
            "contactType": "contact",
            "contactName": "Ada Byron",
            "phoneNumber": "+16505550100",
            "scheduledAt": "2026-05-05T09:00:00Z",
            "note": "Wants a quote",
        },
    ),
    ("PATCH", "/calldown/{entry_id}"): Operation(
        summary="Changes an entry; the time of a call marks it as called",
        tag="Call-down list",
        path={"entry_id": "the entry's id"},
        body=call_down.CallDownChange,
        reply=replies.Done,
        request_example={"status": "called", "lastCallAt": "2026-05-05T09:02:11Z"},
    ),
    ("DELETE", "/calldown/{entry_id}"): Operation(
        summary="Removes an entry", tag="Call-down list", path={"entry_id": "the entry's id"}, reply=replies.Done
    ),
    ("POST", "/messageLog"): Operation(
        summary="Logs the messages of a conversation day, each once",
        tag="Message logs",
        body=conversations.NewMessageLog,
        reply=replies.MessageLogReply,
        request_example=_CONVERSATION,
    ),
}
