"""The part of a manifest's client half that describes forms and settings, as JSON Schema; see ``client_schema``."""

from __future__ import annotations

from adapters.contract import schema_words as words


def page() -> words.Schema:
    """``client.page``."""
    form = {"additionalFields": words.list_of("The fields, in this order.", words.part("formField"))}
    element = words.object_with(
        "",
        {
            "const": words.text("Its name, and in braces its place in the address."),
            "title": words.text("Label, or the text itself."),
            "type": words.text("Text, a field, or a choice.", enum=["string", "inputField", "selection"]),
            "bold": words.switch("Of a text."),
            "placeholder": words.text("Of a field."),
            "required": words.switch("It has to be filled in."),
            "selections": words.list_of("Of a choice.", {"type": "object"}),
        },
        required=("const", "type"),
    )
    feedback = words.object_with(
        "The feedback form; default: one that leads to a page of this server.",
        {
            "url": words.text("Opened at the end, with what was entered in place of the names in braces."),
            "elements": words.list_of("What the form asks.", element),
        },
    )
    return words.object_with(
        "The extension's forms.",
        {
            "useContactSearch": words.switch("Offers the search by name."),
            "disableContactCache": words.switch("Newer versions: every look-up asks the CRM."),
            "callLog": words.object_with("The form of a call.", form, required=("additionalFields",)),
            "messageLog": words.object_with("The form of a conversation.", form, required=("additionalFields",)),
            "newContact": words.object_with(
                "What is asked besides the name of a new contact.", form, required=("additionalFields",)
            ),
            "feedback": feedback,
        },
        required=("callLog", "messageLog", "newContact"),
    )


def settings() -> dict[str, words.Schema]:
    """``client.settings`` and ``client.adminSettings``."""
    section = words.object_with(
        "",
        {
            "id": words.text("Of the section; `defaultSettingId` refers to it."),
            "type": words.text("Always `section`."),
            "name": words.text(
                "Heading. Some CRMs' pages of the extension look for `<displayName> options`: take that."
            ),
            "group": words.text("An existing group of the settings page to stand in."),
            "visibleToUsers": words.switch("Newer versions: false hides it from all but administrators."),
            "items": words.list_of("The settings.", words.part("setting")),
        },
        required=("items",),
    )
    return {
        "settings": words.list_of("Sections of the CRM's settings.", section),
        "adminSettings": words.list_of(
            "Newer versions: settings of the whole account, for administrators.", words.part("setting")
        ),
    }


def _setting_of(case: str) -> words.Schema:
    return words.object_with(f"Of {case}.", {"settingId": words.text("Id of a setting of that section.")})


_LOGIN_FIELD = words.object_with(
    "A field of the login form, or of the settings of server-side logging.",
    {
        "const": words.text("Its name. What it holds is known by it: `…key`, `…token`, `…secret`, `…url`, `password`."),
        "title": words.text("Label."),
        "type": words.text("`string`."),
        "required": words.switch("It has to be filled in."),
        "description": words.text("Help, or the text of a field that is only a text."),
        "defaultValue": words.anything("What stands in it at first."),
        "uiSchema": {"type": "object", "description": "How it is shown: `ui:widget` `password`, `ui:field` `button` …"},
        "oneOf": words.list_of("Choices with `const` and `title`.", {"type": "object"}),
        "enum": words.list_of("Choices.", {}),
        "enumNames": words.list_of("What the choices are called.", {"type": "string"}),
        "managed": words.switch(
            "Newer versions: an administrator may fill it in for others. Not offered by this server."
        ),
        "managedScope": words.text("Of such a field: `account` or `user`."),
        "managedFieldType": words.text("Of such a field: `input` or `dynamic`."),
        "hidden": words.switch("Newer versions: it is not shown."),
    },
    required=("const", "title"),
)
_FORM_FIELD = words.object_with(
    "A field of the form of a call, a conversation or a new contact.",
    {
        "const": words.text("Its name in what is submitted, and in each contact's `additional_info`."),
        "title": words.text("Label."),
        "type": words.text("What it is.", enum=["selection", "checkbox", "inputField", "warning"]),
        "contactDependent": words.switch(
            "Another contact, other choices: they come with the contact. Where a contact has none, the key is left out "
            "of its `additional_info`; an empty list stops the extension."
        ),
        "contactTypeDependent": words.switch("New contact only: its choices are told for each contact type."),
        "required": words.switch("It has to be filled in."),
        "description": words.text("The text of a warning; newer versions: help."),
        "defaultValue": words.anything("What stands in it at first."),
        "pattern": words.text("What an `inputField` has to look like: a regular expression."),
        "allowCustomValue": words.switch("A default that is not among the choices is offered too."),
        "defaultSettingId": words.text("The section of `settings` that holds the default."),
        "defaultSettingValues": words.object_with(
            "The setting for each case; all cases of its form have to be named, or the form stops.",
            {
                "inboundCall": _setting_of("an inbound call"),
                "outboundCall": _setting_of("an outbound call"),
                "message": _setting_of("a text"),
                "voicemail": _setting_of("a voicemail"),
                "fax": _setting_of("a fax"),
            },
        ),
        "options": words.list_of(
            "Newer versions: choices that are always the same. Versions up to 1.7 read those of each contact only: "
            "give both.",
            words.object_with(
                "",
                {"const": words.anything("What is submitted."), "title": words.text("For people.")},
                required=("const", "title"),
            ),
        ),
        "includeNoneOption": words.switch("Newer versions: offers *None*. Up to 1.7 it is always offered."),
        "accountDataKey": words.text("Newer versions: choices are those of `account_data` under this key."),
        "accountDataProperty": words.text("The member of it that holds them."),
        "accountDataPropertyByContactType": {
            "type": "object",
            "description": "That member for each contact type.",
            "additionalProperties": {"type": "string"},
        },
    },
    required=("const", "title"),
)
_SETTING = words.object_with(
    "A setting. Its value is stored by its id and comes to the adapter in `options`.",
    {
        "id": words.text("Unique among all settings."),
        "type": words.text("What it is.", enum=["inputField", "boolean", "option", "warning"]),
        "name": words.text("Label."),
        "description": words.text("Help."),
        "value": words.text("The text of a warning."),
        "defaultValue": words.anything("What counts until somebody chooses. The adapter has to know it as well."),
        "placeHolder": words.text("Shown in an empty field; newer versions read `placeholder`: give both."),
        "placeholder": words.text("The same for newer versions."),
        "options": words.list_of(
            "Choices of an `option`; left out only with `dynamicOptions`.",
            words.object_with(
                "",
                {"id": words.anything("What is stored."), "name": words.text("For people.")},
                required=("id", "name"),
            ),
        ),
        "dynamicOptions": words.switch("The choices come from the CRM: `setting_options` of the adapter."),
        "multiple": words.switch("Several may be chosen."),
        "checkbox": words.switch("Shown as boxes to tick."),
        "required": words.switch("One has to be chosen."),
        "requiredPermission": words.text("A permission at RingCentral without which it is hidden."),
        "helper": words.text("Newer versions: further help."),
        "accountDataKey": words.text("Of `adminSettings`: the choices are those of `account_data` under this key."),
    },
    required=("id", "type"),
)
#: Parts that stand in several places, referred to as ``#/$defs/<name>``.
DEFINITIONS: dict[str, words.Schema] = {"loginField": _LOGIN_FIELD, "formField": _FORM_FIELD, "setting": _SETTING}
