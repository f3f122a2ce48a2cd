"""What may stand in a definition: operations, the variables each is given, and where its results may be found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Kinds of a response mapping's values.
PATH, PATHS, PATH_MAP, TEXT, ITEM, CHOICES = "path", "paths", "path map", "text", "item", "choices"
SWITCH = "switch"
#: One of ``UNITS``.
UNIT = "unit"
#: Unit of a duration -> how many of them make a second.
UNITS = {"seconds": 1, "milliseconds": 1000, "minutes": 1 / 60}
#: Paths that may lead through every element of a list.
STARRED = "starred paths"

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LOG_FORMATS = ("text/plain", "text/html", "text/markdown", "custom")
PAGINATION_TYPES = ("page", "offset", "cursor", "link")
#: The requests of a sign-in, in the order in which they are sent.
SIGN_IN = ("signIn", "getUserInfo")
#: Operations whose answer may come in pages.
PAGED = ("findContact", "findContactWithName", "getUserList")
#: Operations that change nothing, so that their POST may be repeated.
READS = (
    "findContact",
    "findContactWithName",
    "getCallLog",
    "getMessageLog",
    "findCallLog",
    "findMessageLog",
    "getUserList",
    "getLicenseStatus",
    "validateSession",
)
#: Operations that write a record.
WRITES = (
    "createContact",
    "createCallLog",
    "updateCallLog",
    "upsertCallDisposition",
    "createMessageLog",
    "updateMessageLog",
)
#: Operations whose text is composed only in a format that Switchboard knows.
COMPOSED = ("createCallLog", "updateCallLog")

#: Keys of ``requestDefaults`` that say when an answer is a refusal.
REFUSAL_KEYS = (
    *("errorMessagePath", "successPath", "errorPath", "errorCodePath"),
    *("sessionErrorCodes", "limitErrorCodes", "unavailableErrorCodes"),
    *("goneErrorCodes", "contactGoneErrorCodes", "choiceGoneErrorCodes", "tooLongErrorCodes"),
)

#: Names that every template may begin with.
COMMON_VARIABLES = frozenset({"apiKey", "authHeader", "secretKey", "secrets", "user", "platform"})
#: What ``user`` holds.
USER_VARIABLES = (
    "id",
    "name",
    "email",
    "hostname",
    "timezoneName",
    "platform",
    "accessToken",
    "refreshToken",
    "tokenExpiry",
    "platformAdditionalInfo",
)
_RING_SENSE = {
    "ringSenseTranscript",
    "ringSenseSummary",
    "ringSenseAIScore",
    "ringSenseBulletedSummary",
    "ringSenseLink",
}
_CALL_EXTRAS = {
    *_RING_SENSE,
    "aiNote",
    "transcript",
    "voicemailLink",
    "voicemailMessageId",
    "recordingLink",
    "hashedAccountId",
    "isFromSSCL",
    "composedLogDetails",
    "additionalSubmission",
    "assigneeId",
}
_MESSAGE = {
    "contactInfo",
    "message",
    "messages",
    "creationTime",
    "endTime",
    "subject",
    "composedLogDetails",
    "additionalSubmission",
    "correspondents",
    "recordingLink",
    "faxDocLink",
    "imageLink",
    "videoLink",
    "sharedSMSLogContent",
    "ownerName",
    "assigneeName",
    "conversationLogId",
    "idempotencyKey",
}
_PHONE = {"phoneNumber", "parsedPhoneNumber", "isExtension", "phoneFormats"}
_MARKER = {"marker", "contactInfo", "subject", "startTime", "assigneeId", "ownerId"}

#: Operation -> the names its templates may begin with, besides the common ones.
VARIABLES: Mapping[str, frozenset[str]] = {
    "signIn": frozenset({"hostname", "userEmail", "additionalInfo"}),
    "getUserInfo": frozenset({"hostname", "userEmail", "additionalInfo", "signIn"}),
    "findContact": frozenset({*_PHONE, "phoneFormat"}),
    "findContactWithName": frozenset({"name"}),
    "createContact": frozenset(
        {
            *_PHONE,
            "newContactName",
            "newContactFirstName",
            "newContactLastName",
            "newContactType",
            "additionalSubmission",
        }
    ),
    "createCallLog": frozenset(
        {
            *_CALL_EXTRAS,
            "contactInfo",
            "callLog",
            "subject",
            "startTime",
            "endTime",
            "note",
            "ownerId",
            "idempotencyKey",
        }
    ),
    "getCallLog": frozenset({"thirdPartyLogId", "contactId"}),
    "updateCallLog": frozenset(
        {
            *_CALL_EXTRAS,
            "thirdPartyLogId",
            "existingCallLog",
            "existingCallLogDetails",
            "subject",
            "note",
            "startTime",
            "endTime",
            "duration",
            "result",
            "legs",
        }
    ),
    "upsertCallDisposition": frozenset({"thirdPartyLogId", "existingCallLog", "dispositions"}),
    "findCallLog": frozenset(_MARKER),
    "createMessageLog": frozenset({*_MESSAGE, "assigneeId", "ownerId"}),
    "getMessageLog": frozenset({"thirdPartyLogId", "contactId"}),
    "updateMessageLog": frozenset({*_MESSAGE, "thirdPartyLogId", "existingMessageLog"} - {"subject", "correspondents"}),
    "findMessageLog": frozenset(_MARKER),
    "getUserList": frozenset(),
    "getLicenseStatus": frozenset({"userId"}),
    "validateSession": frozenset(),
    "unAuthorize": frozenset(),
}

Members = Mapping[str, Any]
#: Stands for the elements of a list among ``Members``.
ELEMENT = "*"


def _members(*names: str, **further: Members | None) -> Members:
    return {**{name: {} for name in names}, **further}


_LOG = _members("sessionId", "thirdPartyLogId", "contactId")
_PARTY = _members("name", "phoneNumber", "extensionNumber", "location")
_ONE_MESSAGE = _members(
    *("id", "type", "direction", "subject", "creationTime", "messageStatus", "faxPageCount"),
    **{"from": _PARTY, "to": {ELEMENT: _PARTY}},
)
#: Variable -> what it holds: names, each with what that holds in turn; None: whatever the extension or the CRM sent.
#: A variable that is not listed is a text, a number or a switch.
MEMBERS: Mapping[str, Members | None] = {
    "contactInfo": _members("id", "name", "phoneNumber", "type"),
    "parsedPhoneNumber": _members(
        *("valid", "possible", "regionCode", "countryCode"),
        number=_members("input", "e164", "national", "international", "significant", "rfc3966"),
    ),
    "phoneFormats": {ELEMENT: {}},
    "existingCallLog": _LOG,
    "existingMessageLog": _LOG,
    "message": _ONE_MESSAGE,
    "messages": {ELEMENT: _ONE_MESSAGE},
    "sharedSMSLogContent": _members("subject", "body"),
    "user": _members(*USER_VARIABLES[:-1], platformAdditionalInfo=None),
    **dict.fromkeys(
        (
            *("additionalInfo", "signIn", "additionalSubmission", "callLog", "correspondents", "dispositions"),
            *("existingCallLogDetails", "legs", "secrets", *_RING_SENSE, "aiNote", "transcript"),
        )
    ),
}

#: Names that the paths of an answer may begin with; ``$`` is the object that holds them.
ANSWER_ROOTS = frozenset({"body"})
SIGN_IN_ROOTS = ANSWER_ROOTS | {"additionalInfo", "hostname", "platform"}
#: The same for the second request of a sign-in, which may read the answer to the first.
USER_INFO_ROOTS = SIGN_IN_ROOTS | {"signIn"}

ITEM_KEYS: Mapping[str, str] = {
    "idPath": PATH,
    "namePath": PATHS,
    "phonePath": PATH,
    "phonePaths": STARRED,
    "typePath": PATH,
    "type": TEXT,
    "titlePath": PATH,
    "companyPath": PATH,
    "emailPath": PATH,
    "createdDatePath": PATH,
    "mostRecentActivityDatePath": PATH,
    "additionalInfoPath": PATH,
    "choices": CHOICES,
    "decodeEntities": SWITCH,
}
CHOICE_KEYS: Mapping[str, str] = {"listPath": PATH, "constPath": PATH, "titlePath": PATH, "descriptionPath": PATH}
_CONTACTS: Mapping[str, str] = {"listPath": PATH, "item": ITEM}
_MARKED: Mapping[str, str] = {"listPath": PATH, "idPath": PATH, "markerPath": PATH}

#: Operation -> key of its ``responseMapping`` -> kind of the value.
MAPPINGS: Mapping[str, Mapping[str, str]] = {
    "signIn": {"overridingApiKeyPath": PATH},
    "getUserInfo": {
        "idPath": PATH,
        "namePath": PATHS,
        "emailPath": PATH,
        "accountIdPath": PATH,
        "hostnamePath": PATH,
        "timezoneNamePath": PATH,
        "overridingApiKeyPath": PATH,
        "messagePath": PATH,
        "platformAdditionalInfoPaths": PATH_MAP,
        "decodeEntities": SWITCH,
    },
    "findContact": _CONTACTS,
    "findContactWithName": _CONTACTS,
    "createContact": {"idPath": PATH, "namePath": PATHS, "typePath": PATH, "decodeEntities": SWITCH},
    "createCallLog": {"idPath": PATH},
    "getCallLog": {
        "subjectPath": PATH,
        "notePath": PATH,
        "fullBodyPath": PATH,
        "contactNamePath": PATHS,
        "startTimePath": PATH,
        "durationPath": PATH,
        "durationUnit": UNIT,
        "dispositions": PATH_MAP,
        "decodeEntities": SWITCH,
    },
    "findCallLog": _MARKED,
    "createMessageLog": {"idPath": PATH},
    "getMessageLog": {"fullBodyPath": PATH},
    "findMessageLog": _MARKED,
    "getUserList": {"listPath": PATH, "idPath": PATH, "namePath": PATHS, "emailPath": PATH, "decodeEntities": SWITCH},
    "getLicenseStatus": {
        "isLicenseValidPath": PATH,
        "licenseStatusPath": PATH,
        "licenseStatusDescriptionPath": PATH,
    },
}
#: Keys without which nothing could be read.
REQUIRED_MAPPINGS: Mapping[str, tuple[str, ...]] = {
    "getUserInfo": ("idPath",),
    "findContact": ("listPath",),
    "findContactWithName": ("listPath",),
    "findCallLog": ("listPath",),
    "findMessageLog": ("listPath",),
    "getUserList": ("listPath",),
}
#: Keys of a list whose paths start at its element instead of at the answer.
ELEMENT_KEYS: Mapping[str, frozenset[str]] = {
    "findCallLog": frozenset({"idPath", "markerPath"}),
    "findMessageLog": frozenset({"idPath", "markerPath"}),
    "getUserList": frozenset({"idPath", "namePath", "emailPath"}),
}
#: An operation that is of no use, or does harm, without another: operation -> (other, why).
NEEDS: Mapping[str, tuple[str, str]] = {
    "updateCallLog": ("getCallLog", "an edit composed on nothing would overwrite what stands in the CRM"),
    "createMessageLog": ("updateMessageLog", "later messages of the day could not be logged"),
}
#: Sign-in fields that must not be kept in the open: they are credentials.
SECRET_FIELDS = frozenset({"apikey", "password", "secret", "pin", "token"})

#: Keys of the reference server's documents that have another place here.
MOVED: Mapping[str, str] = {
    "auth.clientId": "belongs in manifest.json (server.auth.client_id names an environment variable)",
    "auth.clientSecret": "is a secret: manifest.json names its environment variable (server.auth.client_secret)",
    "auth.tokenUrl": "belongs in manifest.json (server.auth.token_url)",
    "auth.redirectUri": "belongs in manifest.json (server.auth.redirect_uri)",
    "auth.type": "belongs in manifest.json (server.auth.type: oauth or api_key)",
    "requestDefaults.baseUrl": "belongs in manifest.json (server.base_url), beside the hosts it must be one of",
    "requestDefaults.timeoutSeconds": "belongs in manifest.json (server.read_timeout)",
    "meta.displayName": "belongs in manifest.json (client.displayName)",
}
