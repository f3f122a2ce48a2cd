"""What the client half of a manifest may hold, as JSON Schema: every key that the extension reads, with its meaning.

Editors complete manifests by it, and the documentation's page of manifest keys is made from it. Keys that are not named
here are passed on to the extension.
"""

from __future__ import annotations

from adapters.contract import client_forms as forms
from adapters.contract import schema_words as words


def client_schema() -> words.Schema:
    """The schema of the client half; it refers to ``client_forms.DEFINITIONS``."""
    return words.object_with(
        "What the extension reads.",
        {
            **_identity(),
            **_pages_of_the_crm(),
            **_behaviour(),
            "auth": _auth(),
            "page": forms.page(),
            **forms.settings(),
        },
        required=("name", "displayName", "urlIdentifier", "embedUrls", "environment", "auth", "settings", "page"),
    )


def _identity() -> dict[str, words.Schema]:
    choice = words.object_with(
        "",
        {"const": words.text("Its address, with https://."), "name": words.text("Its name.")},
        required=("const", "name"),
    )
    return {
        "name": words.text(
            "The platform key. It stands in tokens, in `state` and beside every log: it never changes. The folder is "
            "its lower-case form.",
            pattern="^[A-Za-z][A-Za-z0-9]*$",
        ),
        "displayName": words.text("The CRM's name for people.", minLength=1),
        "developer": words.object_with(
            "Newer versions: who made the adapter; default: whoever runs the server.",
            {"name": words.text("Their name."), "url": words.text("Their website.")},
        ),
        "environment": words.object_with(
            "Newer versions: how the address of the user's CRM is found. Versions up to 1.7 take that of the tab.",
            {
                "type": words.text(
                    "One address, one that the user enters, or one of several.", enum=["fixed", "dynamic", "selectable"]
                ),
                "url": words.text("Where `fixed`: the address."),
                "urlIdentifier": words.text("Where `dynamic`: what it looks like, `*` for anything."),
                "instructions": words.list_of("Where `dynamic`: what the user is told.", {"type": "string"}),
                "selections": words.list_of("Where `selectable`: the addresses.", choice),
            },
            required=("type",),
        ),
        "urlIdentifier": words.text(
            "On which tabs the extension takes itself to be at this CRM: a part of the address, the first `*` for "
            "anything. The first CRM of the manifest that fits counts.",
            minLength=1,
        ),
        "embedUrls": words.list_of(
            "Pages with click-to-dial and the quick access button; `*` for anything.", {"type": "string"}
        ),
        "override": words.list_of("Values that are others where a condition holds, in this order.", _override()),
    }


def _override() -> words.Schema:
    change = words.object_with(
        "",
        {"path": words.text("Dotted path."), "value": words.anything("What stands there then.")},
        required=("path", "value"),
    )
    return words.object_with(
        "",
        {
            "triggerType": words.text(
                "`hostname`: within this CRM's half, where the user's host is the given one. `meta`: in the whole "
                "manifest, always.",
                enum=["hostname", "meta"],
            ),
            "triggerValue": words.text("The host, to the letter."),
            "overrideObjects": words.list_of("What changes.", change),
        },
        required=("triggerType", "overrideObjects"),
    )


def _pages_of_the_crm() -> dict[str, words.Schema]:
    filled = "`{hostname}`, `{contactId}`, `{contactType}` and `{logId}` are filled in, as they are."
    return {
        "contactPageUrl": words.text(f"The page of a contact. {filled}"),
        "callPopUrl": words.text("Opened in place of it when a call pops by itself."),
        "logPageUrl": words.text(f"The page of a log. {filled}"),
        "canOpenLogPage": words.switch("Whether *View log* opens `logPageUrl`; else it opens the contact's page."),
        "enableFallbackContactPageUrl": words.switch("Newer versions: whether a page opens for an unknown caller."),
        "fallbackContactPageUrl": words.text("Newer versions: that page."),
        "logoUrl": words.text("Picture on the login button; default: one that this server draws."),
        "documentationUrl": words.text(
            "*Documentation*; default: a page of this server, see `PUBLIC_LINKS_DOCUMENTATION`."
        ),
        "releaseNotesUrl": words.text("*Release notes*; default as above."),
        "getSupportUrl": words.text("*Get support*; default as above."),
        "writeReviewUrl": words.text("*Write a review*; default as above."),
        "embeddedOnCrmPage": words.object_with(
            "The overlay of the first start.",
            {
                "welcomePage": words.object_with(
                    "Its links.", {"docLink": words.text("To documentation."), "videoLink": words.text("To a film.")}
                )
            },
        ),
    }


def _behaviour() -> dict[str, words.Schema]:
    submitted = words.object_with(
        "",
        {
            "id": words.text("Key in `additionalSubmission`."),
            "path": words.text("Dotted path in what the extension knows of the RingCentral user."),
        },
        required=("id", "path"),
    )
    return {
        "contactTypes": words.list_of(
            "Types that a new contact may have; the first one is chosen. Absent: none is sent. Never empty: the "
            "extension stops at an empty list.",
            words.object_with(
                "",
                {"display": words.text("For people."), "value": words.text("What is sent.")},
                required=("display", "value"),
            ),
            minItems=1,
        ),
        "requestConfig": words.object_with(
            "The extension's requests to this server.",
            {"timeout": {"type": "number", "description": "Seconds; default 30."}},
        ),
        "enableExtensionNumberLoggingSetting": words.switch("Offers the setting to log calls between extensions."),
        "trackSmsTypingDuration": words.switch("Newer versions: texts come with the time that was spent typing."),
        "rcAdditionalSubmission": words.list_of(
            "Facts about the RingCentral user that come along with every log.", submitted
        ),
        "useLicense": words.switch("Asks for the state of the licence and shows it."),
        "autoLoginCRMWithRingCentralLogin": words.switch(
            "Begins the login at the CRM right after the one at RingCentral."
        ),
        "clickToDialMatchAllNumbers": words.switch("Default of the switch *match all numbers*."),
        "disableDisposition": words.switch("Never sends choices made after the call."),
        "hideEditLogButton": words.switch("Hides *Edit log*."),
        "serverSideLogging": words.object_with(
            "Offers logging by a service, where this server has one (`SERVER_SIDE_LOGGING_URL`).",
            {
                "url": words.text("Set by this server."),
                "useAdminAssignedUserToken": words.switch("A log may be written in the name of the mapped user."),
                "enableUserMapping": words.switch(
                    "Newer versions: shows *User mapping*. Up to 1.7 it is always shown."
                ),
                "additionalFields": words.list_of(
                    "Fields that an administrator fills in for the service.", words.part("loginField")
                ),
            },
        ),
    }


def _auth() -> words.Schema:
    form = words.object_with(
        "The login form.",
        {
            "title": words.text("Above the form."),
            "warning": words.text("A box with a warning."),
            "content": words.list_of("Its fields.", words.part("loginField")),
        },
        required=("content",),
    )
    oauth = words.object_with(
        "Login on the vendor's page.",
        {
            "authUrl": words.text("The page.", minLength=1),
            "clientId": words.text("The public client id, as a rule a variable: `${ACME_CLIENT_ID}`.", minLength=1),
            "redirectUri": words.text(
                "Newer versions: where the page comes back to. Versions up to 1.7 use RingCentral's own page, or open "
                "this address first, where the CRM has a page of installation."
            ),
            "scope": words.text("With its name, as it stands in the address: `scope=contacts.read contacts.write`."),
            "customState": words.text("In place of `platform=<name>`, which it has to contain."),
        },
        required=("authUrl", "clientId"),
    )
    return words.object_with(
        "How users log in.",
        {
            "type": words.text("On the vendor's page, or with a form.", enum=["oauth", "apiKey"]),
            "oauth": oauth,
            "apiKey": words.object_with(
                "Login with a key, or a user name and a password.", {"page": form}, required=("page",)
            ),
        },
        required=("type",),
    )
