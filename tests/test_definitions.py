"""Which mistakes of a definition are found, how they are named, and where definitions are looked for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand, SystemCheckError

from adapters import registry
from adapters.contract import Manifest, UnexpectedResponse
from adapters.contract.manifest_checks import problems
from adapters.proxy import schema
from adapters.proxy.definition import Definition, DefinitionError
from adapters.proxy.fit import misfits
from adapters.proxy.loading import for_definition, mistakes_in
from adapters.proxy.template import Choose, Html, Number, Text
from config.environment import Environment
from connectors.deliveries.notices import kept_notice
from connectors.deliveries.outcome import Outcome
from connectors.deliveries.policy import Told
from connectors.models import CrmUser
from tests.declarative import HOST, USER_INFO, Crm, definition_with, manifest_with

FIND = {"url": "/people", "query": {"tel": "{{phoneNumber}}"}, "responseMapping": {"listPath": "body.items"}}
FORM_SIGN_IN = {
    "method": "POST",
    "url": "/sessions",
    "body": {"name": "{{additionalInfo.username}}"},
    "responseMapping": {"idPath": "body.user.id", "overridingApiKeyPath": "body.token"},
}


def mistakes(document):
    with pytest.raises(DefinitionError) as raised:
        Definition.read(document)
    return raised.value.mistakes


def test_all_mistakes_are_named_at_once_each_with_its_path():
    found = mistakes(
        {
            "metta": {},
            "meta": {"name": 1, "logFormat": "html"},
            "auth": {
                "clientSecret": "x",
                "encode": "rot13",
                "headerName": "Bad Name",
                "scheme": "two words",
                "credentialTemplate": "{{apiKye}}",
            },
            "requestDefaults": {"baseUrl": "https://x.example", "defaultHeaders": {"Host": "x", "A": "é", "B": 1}},
            "operations": {
                "findContct": {},
                "findContact": {
                    "metod": "GET",
                    "method": "FETCH",
                    "url": "https://x.example/a?b={{phoneNumber}}",
                    "headers": {"Cookie": "a"},
                    "query": {"q": "{{phonNumber}}", "r": "{{a..b}}", "s": "{{__class__}}", "t": "{{", "u": None},
                    "pagination": {"type": "cursor", "param": "c", "maxPages": 99},
                    "forEach": "types",
                    "responseMapping": {
                        "listPath": "items",
                        "item": {"idPath": "a b", "namPath": "x", "choices": {"d": {}}},
                    },
                },
                "createCallLog": {"method": "POST", "body": {"$if": 1, "a": {"$choose": 1, "from": [], "then": 2}}},
                "updateCallLog": {"method": "PATCH", "url": "/x/{{thirdPartyLogId}}", "body": {"u": "{{user.secret}}"}},
                "getUserList": {"url": "ftp://x.example/", "body": {}, "responseMapping": []},
            },
        }
    )
    expected = [
        "metta: is not known here; did you mean 'meta'?",
        "meta.logFormat: must be one of text/plain, text/html, text/markdown, custom",
        "meta.name: must be a text",
        "auth.clientSecret: is a secret: manifest.json names its environment variable (server.auth.client_secret)",
        "auth.headerName: is no name of a header",
        "auth.scheme: must be one word",
        "auth.encode: must be one of base64, none",
        "requestDefaults.baseUrl: belongs in manifest.json (server.base_url), beside the hosts it must be one of",
        "requestDefaults.defaultHeaders.Host: Host may not be set",
        "requestDefaults.defaultHeaders.A: has a character that is not allowed in a header",
        "requestDefaults.defaultHeaders.B: must be a text",
        "operations.findContct: is not known here; did you mean 'findContact'?",
        "operations.findContact.metod: is not known here; did you mean 'method'?",
        "operations.findContact.method: must be one of GET, POST, PUT, PATCH, DELETE",
        "operations.findContact.forEach: must be 'phoneFormats'",
        "operations.findContact.url: may not hold a query; put it under 'query'",
        "operations.findContact.headers.Cookie: Cookie may not be set",
        "operations.findContact.query.r: 'a..b' is not a path of names separated by dots",
        "operations.findContact.query.s: a name may not begin with '__'",
        "operations.findContact.query.t: '{{' and '}}' do not belong together",
        "operations.findContact.query.u: must be a text",
        "operations.findContact.responseMapping.listPath: must begin with body",
        "operations.findContact.responseMapping.item.namPath: is not known here; did you mean 'namePath'?",
        "operations.findContact.responseMapping.item.idPath: 'a b' is not a path of names separated by dots",
        "operations.findContact.responseMapping.item.choices.d.listPath: is missing",
        "operations.findContact.pagination.maxPages: must be a whole number from 1 to 20",
        "operations.findContact.pagination.nextPath: is missing: pagination by cursor needs it",
        "operations.createCallLog.url: is missing",
        "operations.createCallLog.body.$if: is not known here; there are $html, $text, $number and $choose",
        "operations.createCallLog.body.a.then: is not known here",
        "operations.createCallLog.body.a.from: must be an object",
        "operations.createCallLog.body.a.$choose: must be a text",
        "operations.getUserList.body: is not sent with GET",
        "operations.getUserList.url: must begin with https:// or be a path below the base URL",
        "operations.getUserList.responseMapping: must be an object",
        "operations.getUserInfo: is missing: nobody could sign in",
        "auth.credentialTemplate: there is no variable 'apiKye' here; did you mean 'apiKey'?",
        "operations.findContact.query.q: there is no variable 'phonNumber' here; did you mean 'phoneNumber'?",
        'operations.findContact: "forEach": "phoneFormats" and {{phoneFormat}} belong together',
        "operations.updateCallLog: needs operations.getCallLog: "
        "an edit composed on nothing would overwrite what stands in the CRM",
        "operations.updateCallLog.body.u: 'user.secret': 'user' has no 'secret'; "
        f"there is {', '.join(schema.USER_VARIABLES)}",
    ]
    assert [line for line in expected if line not in found] == []
    assert [line for line in found if line not in expected] == []


@pytest.mark.parametrize(
    ("operations", "mistake"),
    [
        (
            {"createMessageLog": {"method": "POST", "url": "/x", "body": {}}},
            "operations.createMessageLog: needs operations.updateMessageLog: "
            "later messages of the day could not be logged",
        ),
        (
            {"updateMessageLog": {"method": "PUT", "url": "/x", "body": {"t": "{{composedLogDetails}}"}}},
            "operations.updateMessageLog: needs operations.getMessageLog to compose on what stands there",
        ),
        (
            {"getUserInfo": {"url": "/me"}},
            "operations.getUserInfo.responseMapping.idPath: is missing",
        ),
        (
            {
                "getUserInfo": {
                    "url": "/me",
                    "responseMapping": {
                        "idPath": "body.id",
                        "platformAdditionalInfoPaths": {"p": "additionalInfo.Password"},
                    },
                }
            },
            "operations.getUserInfo.responseMapping.platformAdditionalInfoPaths.p: would keep a secret in the open",
        ),
        (
            {"findContact": {**FIND, "query": {"q": "{{phoneFormat}}"}}},
            'operations.findContact: "forEach": "phoneFormats" and {{phoneFormat}} belong together',
        ),
        (
            {"findContact": {**FIND, "query": {f"q{n}": "{{phoneNumber}}" for n in range(201)}}},
            "operations.findContact: has more than 200 placeholders",
        ),
    ],
)
def test_parts_that_do_not_go_together_are_named(operations, mistake):
    assert mistakes(definition_with(operations)) == [mistake]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"operations": {}, "operations": {}}', "'operations' stands twice"),
        ('{"a": NaN}', "NaN is not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"meta": ' + "[" * 50 + "]" * 50 + "}", "nested more than 30 levels"),
        ("[]", "the definition: must be an object"),
        (" " * 600_000, "more than 500000 characters"),
    ],
)
def test_a_document_that_is_no_definition_is_refused(text, mistake):
    with pytest.raises(DefinitionError, match=mistake):
        Definition.parse(text)


@pytest.mark.parametrize(
    ("operation", "path", "mistake"),
    [
        ("createCallLog", "contactInfo.ID", "'contactInfo' has no 'ID'; there is id, name, phoneNumber, type"),
        ("createCallLog", "subject.text", "'subject' has no 'text'; it is a single value"),
        ("createCallLog", "user.platformAdditionalInfo.regon", None),
        ("createContact", "parsedPhoneNumber.number.E164", None),
        (
            "createContact",
            "phoneFormats.first",
            "'phoneFormats' is a list, whose elements go by number: 'phoneFormats.0'",
        ),
        ("updateMessageLog", "message.text", None),
        ("updateMessageLog", "messages.id", "'messages' is a list, whose elements go by number: 'messages.0'"),
        ("updateMessageLog", "messages.0.from.number", None),
        ("updateMessageLog", "existingMessageLog.id", None),
    ],
)
def test_a_name_that_can_never_have_a_value_is_a_mistake_at_its_place(operation, path, mistake):
    entry = {"method": "POST", "url": "/x", "body": {"a": [{"b": "<{{" + path + "}}>"}]}}
    lines = [
        line
        for line in mistakes(definition_with({operation: entry}, auth={"scheme": "two words"}))
        if line.startswith(f"operations.{operation}.body.a.0.b: '{path}': ")
    ]
    assert len(lines) == 1
    assert mistake is None or lines[0].endswith(mistake)


@pytest.mark.parametrize(
    ("members", "mistake"),
    [
        ({"url": "/logs/{phoneNumber}"}, "url: has a single brace; a variable has two: '{{thirdPartyLogId}}'"),
        (
            {"query": {"q": "tel:{phoneNumber}"}},
            "query.q: '{phoneNumber}' is plain text; a variable has two braces: '{{phoneNumber}}'",
        ),
        ({"query": {"q": "{{{phoneNumber}}}"}}, "query.q: a variable has two braces on each side, not three"),
        (
            {"query": {"q": "{{phoneFormats[0]}}"}},
            "query.q: 'phoneFormats[0]': elements of lists go by number after a dot: 'phoneFormats.0'",
        ),
        (
            {"responseMapping": {"listPath": "body.pages[0].items"}},
            "responseMapping.listPath: 'body.pages[0].items': "
            "elements of lists go by number after a dot: 'body.pages.0.items'",
        ),
        (
            {"responseMapping": {"listPath": "body", "item": {"phonePath": "lines.*.no"}}},
            "responseMapping.item.phonePath: 'lines.*.no': "
            "'*' works in phonePaths only; elements of lists go by number",
        ),
        (
            {"auth": {"scheme": "Token", "credentialTemplate": "partner-7"}},
            "auth.credentialTemplate: has no variable; a key is not written here: "
            "name its environment variable in manifest.json (server.secrets) and use {{secrets.NAME}}",
        ),
    ],
)
def test_a_notation_of_other_languages_is_answered_with_the_one_used_here(members, mistake):
    assert mistakes(definition_with({"findContact": {**FIND, **members}})) == [f"operations.findContact.{mistake}"]


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        ({"a": "{{contact.id}}"}, "a: there is no variable 'contact' here; did you mean 'contactId'?"),
        ({"a": {"$html": "<b>{{user.nick}}</b>"}}, "a.$html: 'user.nick': 'user' has no 'nick'; there is "),
        (
            {"a": {"$choose": "{{thirdPartyLogId.x}}", "from": {}}},
            "a.$choose: 'thirdPartyLogId.x': 'thirdPartyLogId' has no 'x'; it is a single value",
        ),
    ],
)
def test_an_unknown_variable_is_one_mistake_wherever_it_stands_in_a_body(body, mistake):
    entry = {"method": "POST", "url": "/x", "body": body}
    (line,) = mistakes(definition_with({"getCallLog": entry}))
    assert line.startswith(f"operations.getCallLog.body.{mistake}")


@pytest.mark.parametrize("url", ["/logs/{{logId}}", "https://{{logId}}.grove.example/x"])
def test_an_unknown_variable_of_an_address_is_a_mistake(url):
    (line,) = mistakes(definition_with({"getCallLog": {"url": url}}))
    assert line.startswith("operations.getCallLog.url: there is no variable 'logId' here")


def test_a_login_of_an_operation_is_looked_through_too():
    auth = {"credentialTemplate": "{{key}}"}
    (line,) = mistakes(definition_with({"getCallLog": {"url": "/x", "auth": auth}}))
    assert line.startswith("operations.getCallLog.auth.credentialTemplate: there is no variable 'key' here")


@pytest.mark.parametrize(
    "path",
    [
        *("contactInfo", "contactInfo.id", "callLog.from.name", "callLog.whatever.it.is", "additionalSubmission.deals"),
        *("ringSenseAIScore.score", "user.platformAdditionalInfo.region", "user.platformAdditionalInfo.region.id"),
    ],
)
def test_what_the_extension_and_the_crm_send_may_have_any_members(path):
    entry = {"method": "POST", "url": "/x", "body": {"a": "{{" + path + "}}"}}
    assert (
        Definition.read(definition_with({"createCallLog": entry})).operations["createCallLog"].uses(path.split(".")[0])
    )


@pytest.mark.parametrize(
    ("part", "key", "place"),
    [
        ("auth", "type", "server.auth.type"),
        ("auth", "clientId", "server.auth.client_id"),
        ("auth", "clientSecret", "server.auth.client_secret"),
        ("auth", "tokenUrl", "server.auth.token_url"),
        ("auth", "redirectUri", "server.auth.redirect_uri"),
        ("requestDefaults", "baseUrl", "server.base_url"),
        ("requestDefaults", "timeoutSeconds", "server.read_timeout"),
        ("meta", "displayName", "client.displayName"),
    ],
)
def test_keys_of_another_servers_documents_are_told_their_place(part, key, place):
    (mistake,) = mistakes(definition_with({}, **{part: {key: "x"}}))
    assert mistake.startswith(f"{part}.{key}: ")
    assert f"manifest.json ({place}" in mistake or f"environment variable ({place}" in mistake


def test_definition_and_manifest_have_to_fit():
    definition = Definition.read(
        definition_with(
            {
                "findContact": {**FIND, "url": "https://elsewhere.example/people", "headers": {"X": "{{secretKey}}"}},
                "getUserList": {
                    "url": "https://api.grove.example:8443/x",
                    "query": {"v": "{{secrets.GROVE_X}}"},
                    "responseMapping": {"listPath": "body"},
                },
            },
            meta={"name": "other"},
        )
    )
    assert misfits(definition, manifest_with(base_url="", hosts=["api.grove.example", "*.com", "*"])) == [
        "meta.name: must be the platform key 'grove'",
        "operations.findContact.headers.X: "
        "{{secretKey}} is the variable GROVE_SECRET_KEY, which manifest.json does not name",
        "operations.getUserList.query.v: manifest.json does not name the variable 'GROVE_X'",
        "manifest.json: server.hosts: '*.com' lets requests go anywhere",
        "manifest.json: server.hosts: '*' lets requests go anywhere",
        "operations.getUserInfo.url: manifest.json has no server.base_url to join it to",
        "operations.findContact.url: the host is not one of this CRM; manifest.json lists them under server.hosts",
        "operations.getUserList.url: the host is not one of this CRM; manifest.json lists them under server.hosts",
    ]
    form = Definition.read({"operations": {"getUserInfo": FORM_SIGN_IN}})
    assert misfits(form, manifest_with(auth=OAUTH, secrets=["GROVE_ID", "GROVE_SECRET"])) == [
        "operations.getUserInfo: an OAuth sign-in has no form and no key to replace"
    ]
    assert misfits(form, manifest_with(base_url="ftp://api.grove.example")) == [
        "manifest.json: server.base_url must begin with https://"
    ]
    assert misfits(form, manifest_with(read_timeout=600)) == [
        "manifest.json: server.read_timeout must be from 1 to 60 seconds"
    ]
    assert misfits(Definition.read({"operations": {"getUserInfo": USER_INFO}}), manifest_with()) == []


FORMS = {
    "contactPageUrl": "https://app.grove.example/{contactId}",
    "auth": {
        "type": "apiKey",
        "apiKey": {"page": {"content": [{"const": "username"}, {"const": "password"}, {"title": "Hello"}]}},
    },
    "rcAdditionalSubmission": [{"id": "department"}],
    "page": {
        "callLog": {"additionalFields": [{"const": "deals"}]},
        "messageLog": {"additionalFields": [{"const": "stage"}]},
        "newContact": {"additionalFields": []},
    },
}


OAUTH = {
    "type": "oauth",
    "client_id": "GROVE_ID",
    "client_secret": "GROVE_SECRET",
    "token_url": "https://{hostname}/token",
    "redirect_uri": "https://x.example/redirect",
}


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({}, None),
        ({"token_url": "https://id.grove.example/token?tenant=1"}, None),
        ({"token_url": ""}, "token_url is missing"),
        ({"token_url": "/token"}, "token_url: the address is malformed; server.hosts lists them"),
        ({"token_url": "http://api.grove.example/"}, "token_url: the address is not https; server.hosts lists them"),
        ({"revoke_url": "https://x.example/"}, "revoke_url: the host is not one of this CRM; server.hosts lists them"),
        ({"redirect_uri": ""}, "redirect_uri is missing"),
        (
            {"client_secret": "typed-into-the-file"},
            "client_secret must be the name of an environment variable that server.secrets lists",
        ),
        ({"client_id": ""}, "client_id must be the name of an environment variable that server.secrets lists"),
    ],
)
def test_an_oauth_application_is_complete_or_what_it_lacks_is_named(change, mistake):
    manifest = manifest_with(auth={**OAUTH, **change}, secrets=["GROVE_ID", "GROVE_SECRET"])
    expected = [f"manifest.json: server.auth.{mistake}"] if mistake else []
    assert misfits(Definition.read(definition_with({})), manifest) == expected


@pytest.mark.parametrize("host", ["{{hostname}}", "{{additionalInfo.region}}.grove.example"])
def test_users_who_are_read_from_hosts_of_their_own_are_told_apart_by_the_host(host):
    definition = Definition.read({"operations": {"getUserInfo": {**USER_INFO, "url": f"https://{host}/me"}}})
    (mistake,) = misfits(definition, manifest_with())
    assert "server.host_in_identity must be true" in mistake
    assert misfits(definition, manifest_with(host_in_identity=True)) == []


def test_both_halves_of_a_manifest_name_the_same_way_to_sign_in():
    assert form_misfits({}, auth={"type": "oauth", "oauth": {}}) == [
        "manifest.json: client.auth.type must be 'apiKey', as server.auth.type is 'api_key'"
    ]


def form_misfits(operations, **client):
    definition = Definition.read({"operations": {"getUserInfo": FORM_SIGN_IN, **operations}})
    manifest = manifest_with()
    return misfits(definition, replace(manifest, client={**manifest.client, **FORMS, **client}))


@pytest.mark.parametrize(
    ("operations", "mistake"),
    [
        (
            {"getUserInfo": {**FORM_SIGN_IN, "body": {"name": "{{additionalInfo.user}}"}}},
            "operations.getUserInfo.body.name: the sign-in form has no field 'user'; there is password, username",
        ),
        (
            {
                "getUserInfo": {
                    **FORM_SIGN_IN,
                    "responseMapping": {
                        "idPath": "body.id",
                        "overridingApiKeyPath": "body.token",
                        "platformAdditionalInfoPaths": {"b": "additionalInfo.branch"},
                    },
                }
            },
            "operations.getUserInfo.responseMapping.platformAdditionalInfoPaths.b: "
            "the sign-in form has no field 'branch'; there is password, username",
        ),
        (
            {"getUserInfo": {**FORM_SIGN_IN, "responseMapping": {"idPath": "body.id"}}},
            "operations.getUserInfo.responseMapping.overridingApiKeyPath: "
            "is missing: the sign-in form has no 'apiKey', so there would be no key",
        ),
        (
            {"getUserInfo": USER_INFO},
            "manifest.json: client.auth.apiKey.page.content: has no field 'apiKey', so nobody could enter a key",
        ),
        (
            {"findContactWithName": {**FIND, "query": {"q": "{{name}}"}}},
            "operations.findContactWithName: is used only where manifest.json has client.page.useContactSearch: true",
        ),
        (
            {"createCallLog": {"method": "POST", "url": "/x", "body": {"d": ["{{additionalSubmission.deal}}"]}}},
            "operations.createCallLog.body.d.0: no form has a field 'deal'; there is deals, department, stage",
        ),
        (
            {"upsertCallDisposition": {"method": "PUT", "url": "/x", "body": {"d": "{{dispositions.deal}}"}}},
            "operations.upsertCallDisposition.body.d: no form has a field 'deal'; there is deals, department, stage",
        ),
        (
            {"getCallLog": {"url": "/x", "responseMapping": {"dispositions": {"deal": "body.deal"}}}},
            "operations.getCallLog.responseMapping.dispositions.deal: "
            "no form has a field 'deal'; there is deals, department, stage",
        ),
        (
            {
                "findContact": {
                    **FIND,
                    "responseMapping": {"listPath": "body", "item": {"choices": {"deal": {"listPath": "d"}}}},
                }
            },
            "operations.findContact.responseMapping.item.choices.deal: "
            "no form has a field 'deal'; there is deals, department, stage",
        ),
    ],
)
def test_what_is_read_from_a_form_has_to_be_one_of_its_fields(operations, mistake):
    assert form_misfits(operations) == [mistake]


def test_fields_of_all_forms_and_those_the_extension_adds_are_known():
    fields = ("deals", "stage", "department", "isAssignedToUser", "adminAssignedUserRcId")
    body = {name: "{{additionalSubmission." + name + "}}" for name in fields}
    assert form_misfits({"createCallLog": {"method": "POST", "url": "/x", "body": body}}) == []
    assert form_misfits({}, contactPageUrl="") == [
        "manifest.json: client.contactPageUrl is missing: the extension fails where it opens a contact"
    ]


@pytest.mark.parametrize(
    ("server", "mistake"),
    [
        (
            {"base_url": "https://api.other.example"},
            "base_url: the host is not one of this CRM; server.hosts lists them",
        ),
        ({"base_url": "https://{host}/v1"}, "base_url may hold {hostname} and ${VARIABLE}, nothing else in braces"),
        (
            {"base_url": "https://{hostname}/v1?a=1", "host_in_identity": True},
            "base_url may not hold a query; requestDefaults.defaultQuery may",
        ),
        ({"base_url": "https://{hostname}/v1", "host_in_identity": True}, None),
        (
            {"base_url": "https://{hostname}/v1"},
            "host_in_identity must be true: "
            "every host has users of its own, and the same id on two of them is two people",
        ),
        ({"base_url": "${GROVE_URL}/v1"}, None),
        (
            {"hosts": [HOST, "https://*.grove.example"]},
            "hosts: 'https://*.grove.example' is no host name such as api.orchard.example",
        ),
        ({"hosts": [HOST, "*.grove.example", "eu.grove.example:8443", "[2a00::1]", "${GROVE_URL}"]}, None),
    ],
)
def test_hosts_and_base_url_have_to_fit(server, mistake):
    definition = Definition.read(definition_with({}))
    assert misfits(definition, manifest_with(**server)) == ([f"manifest.json: server.{mistake}"] if mistake else [])


@pytest.mark.parametrize(
    ("operations", "members", "mistake"),
    [
        (
            {"createContact": {"url": "/people", "body": {"name": "{{newContactName}}"}}},
            {},
            "operations.createContact.method: "
            "must be POST, PUT, PATCH or DELETE: a GET, the default, may be sent twice",
        ),
        (
            {"createCallLog": {"method": "POST", "url": "/x", "body": {"t": "{{composedLogDetails}}"}}},
            {},
            "operations.createCallLog.body.t: there is no composedLogDetails without meta.logFormat",
        ),
        (
            {"updateMessageLog": {"method": "PATCH", "url": "/x", "body": {"t": "{{correspondents}}"}}},
            {},
            "operations.updateMessageLog.body.t: there is no variable 'correspondents' here",
        ),
        (
            {"createCallLog": {"method": "POST", "url": "/x", "body": "t={{note}}"}},
            {},
            "operations.createCallLog.body: must be an object or a list: it is sent as JSON",
        ),
        (
            {},
            {"requestDefaults": {"defaultHeaders": {"content-type": "application/x-www-form-urlencoded"}}},
            "requestDefaults.defaultHeaders.content-type: "
            "must be a type of JSON, which every body is sent as; or leave it out",
        ),
        (
            {"findContact": {**FIND, "responseMapping": {"listPath": "body.data", "item": {"idPath": "body.data.id"}}}},
            {},
            "operations.findContact.responseMapping.item.idPath: begins at an element of 'body.data': "
            "'id', not 'body.data.id'",
        ),
        (
            {"getUserList": {"url": "/x", "responseMapping": {"listPath": "body.data", "namePath": ["data.first"]}}},
            {},
            "operations.getUserList.responseMapping.namePath: begins at an element of 'body.data': "
            "'first', not 'data.first'",
        ),
        (
            {
                "getUserInfo": {
                    **FORM_SIGN_IN,
                    "responseMapping": {
                        "idPath": "body.id",
                        "overridingApiKeyPath": "body.token",
                        "platformAdditionalInfoPaths": {"t": "body.token"},
                    },
                }
            },
            {},
            "operations.getUserInfo.responseMapping.platformAdditionalInfoPaths.t: would keep the key in the open",
        ),
    ],
)
def test_a_slip_that_would_lose_or_double_something_is_a_mistake(operations, members, mistake):
    assert mistakes(definition_with(operations, **members)) == [mistake]


def test_a_vendors_own_type_of_json_and_a_body_that_is_one_variable_are_in_order():
    headers = {"defaultHeaders": {"Content-Type": "application/vnd.grove+json"}}
    entry = {"method": "POST", "url": "/x", "body": "{{callLog}}"}
    assert Definition.read(definition_with({"createCallLog": entry}, requestDefaults=headers))


# --- folders -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, settings):
    settings.ADAPTER_FOLDERS = [str(tmp_path)]
    return tmp_path


def test_a_folder_that_does_not_exist_stops_the_start(tmp_path):
    read = Environment({"SOUND": f" {tmp_path} , ", "WRONG": f"{tmp_path},{tmp_path / 'gone'}"})
    assert read.folders("SOUND") == [str(tmp_path)]
    assert read.problems == []
    assert read.folders("WRONG") == []
    assert len(read.problems) == 1
    assert read.problems[0].endswith("which is no folder.")


def put(folder, name="grove", definition=None, **files):
    place = folder / name
    place.mkdir()
    client = {"name": name, "displayName": name, "urlIdentifier": "x", "contactPageUrl": "https://x/{contactId}"}
    server = {"base_url": "https://api.grove.example", "hosts": ["api.grove.example"], "auth": {"type": "api_key"}}
    (place / "manifest.json").write_text(json.dumps({"client": client, "server": server}))
    (place / "definition.json").write_text(json.dumps(definition or definition_with({"findContact": FIND})))
    for file, text in files.items():
        (place / f"{file}.py").write_text(text)
    registry.forget()
    return place


def test_a_definition_in_a_further_folder_is_offered(folder):
    place = put(folder)
    assert registry.folder_of("grove") == place
    assert "find_contacts_by_name" not in vars(registry.adapter_class("grove"))["definition"].operations
    assert registry.broken() == {}


def test_a_wrong_definition_is_named_and_the_others_stay(folder, capsys):
    place = put(folder, definition={"operations": {"getUserInfo": {"url": "/me"}, "findPeople": {}}})
    put(folder, "orchards")
    names = set(registry.manifests())
    assert "grove" not in names
    assert {"orchards", "testCRM", "exampleCRM"} <= names
    with pytest.raises(CommandError):
        call_command("check_adapters")
    printed = capsys.readouterr().err.splitlines()
    mistakes = [
        f"{place}: operations.findPeople: is not known here",
        f"{place}: operations.getUserInfo.responseMapping.idPath: is missing",
    ]
    assert [line for line in printed if line.startswith(str(place))] == [f"{line} (adapters.E001)" for line in mistakes]
    assert [message.msg for message in run_checks() if message.id == "adapters.E001"] == mistakes


@pytest.mark.django_db
def test_a_wrong_definition_does_not_stop_a_migration(folder):
    put(folder, definition={"operations": {}})
    with pytest.raises(SystemCheckError, match="operations"):
        BaseCommand().check()
    call_command("migrate", plan=True, verbosity=0, skip_checks=False)


def test_the_interfaces_are_those_of_the_definition(folder, client):
    put(folder)
    offered = client.get("/implementedInterfaces", {"platform": "grove"}).json()
    assert {name for name, is_offered in offered.items() if is_offered} == {
        *("getAuthType", "getBasicAuth", "getLogFormatType", "cacheCallNote"),
        *("getUserInfo", "unAuthorize", "findContact"),
    }
    offered = client.get("/implementedInterfaces", {"platform": "testCRM"}).json()
    assert all(offered[name] for name in ("createContact", "createCallLog", "updateMessageLog", "getLicenseStatus"))


def test_the_extension_is_given_what_it_reads_unasked(folder, client, settings):
    put(folder)
    platform = client.get("/crmManifest").json()["platforms"]["grove"]
    assert platform["page"]["newContact"] == {"additionalFields": []}
    assert platform["page"]["feedback"]["url"].startswith(f"{settings.APP_SERVER}/help/feedback#")
    assert platform["logoUrl"] == f"{settings.APP_SERVER}/logo/grove.svg"


def test_files_that_an_editor_began_with_a_mark_are_read(folder):
    place = put(folder)
    for file in place.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    registry.forget()
    assert registry.broken() == {}
    assert registry.adapter_class("grove").definition.operations


@pytest.mark.django_db
def test_ids_that_differ_in_letter_case_are_two_users(folder, client):
    """Only a user name that was typed is the same in any letter case; a record id such as 'a0B' is not."""
    place = put(folder, definition={"operations": {"getUserInfo": FORM_SIGN_IN}})
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["server"]["auth"] = {"type": "password"}
    (place / "manifest.json").write_text(json.dumps(manifest))
    registry.forget()
    crm = Crm()
    with crm.answering():
        for user_id in ("a0B", "a0b", "a0B"):
            crm.replies = []
            crm.will_answer({"user": {"id": user_id}, "token": f"key-of-{user_id}"})
            body = {"platform": "grove", "additionalInfo": {"username": user_id}}
            assert client.post("/apiKeyLogin", body, content_type="application/json").status_code == 200
    assert sorted(CrmUser.objects.values_list("wire_id", flat=True)) == ["a0B-grove", "a0b-grove"]
    assert {user.credentials().access_token for user in CrmUser.objects.all()} == {"key-of-a0B", "key-of-a0b"}


def test_a_write_whose_answer_was_not_understood_is_told_with_the_place(folder):
    """A wrong path to the id leaves the log in doubt: its author has to see which path it was."""
    put(folder)
    error = UnexpectedResponse(reason="expected an id at 'body.data.id'", maybe_applied=True)
    notice = kept_notice(CrmUser(platform="grove"), "Call log", Outcome(waits=True, told=Told.UNCONFIRMED, error=error))
    assert "grove did not confirm it" in notice.details[0]
    assert notice.details[1] == "It answered: expected an id at 'body.data.id'."


def test_no_python_is_read_from_a_further_folder(folder):
    put(folder, adapter="raise SystemExit('imported')")
    assert registry.find_platform("grove") is None
    (reason,) = registry.broken().values()
    assert "no Python" in reason


@pytest.mark.parametrize("file", ["manifest.json", "definition.json"])
def test_a_folder_that_lacks_a_file_is_named(folder, file):
    place = put(folder)
    (place / file).unlink()
    registry.forget()
    assert registry.find_platform("grove") is None
    assert registry.broken() == {str(place): f"{file} is missing"}


@pytest.mark.parametrize("file", ["manifest.json", "definition.json"])
def test_a_slip_in_the_json_names_the_file(folder, file):
    place = put(folder)
    (place / file).write_text('{"client": {},}')
    registry.forget()
    (reason,) = registry.broken().values()
    assert reason.startswith(f"{file}: not JSON: ")
    assert "line 1 column 15" in reason


def test_a_further_folder_cannot_take_the_place_of_an_adapter(folder):
    put(folder, "clio")
    assert registry.folder_of("clio").parent == registry.FOLDER
    (reason,) = registry.broken().values()
    assert "taken" in reason


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', "\ud800", "[" * 90_000, "1" * 9000])
def test_whatever_stands_in_the_files_the_others_stay(folder, text):
    place = put(folder)
    (place / "definition.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    registry.forget()
    assert "testCRM" in registry.manifests()
    assert str(place) in registry.broken()


def test_offered_operations_and_capabilities_have_to_agree(folder, capsys):
    search = {"url": "/people", "query": {"q": "{{name}}"}, "responseMapping": {"listPath": "body"}}
    put(folder, definition=definition_with({"findContactWithName": search}))
    with pytest.raises(CommandError):
        call_command("check_adapters")
    printed = capsys.readouterr().err
    assert "grove: the adapter offers find_contacts_by_name, which server.capabilities does not name" in printed
    assert "the adapter offers list_users" not in printed


# --- the guide -----------------------------------------------------------------------------------

GUIDE = (Path(__file__).parent.parent / "docs" / "declarative-adapters.md").read_text(encoding="utf-8")


def test_the_guides_example_is_in_order(tmp_path):
    manifest, definition, password, two_requests = re.findall(r"^```json\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
    folder = tmp_path / "orchard"
    folder.mkdir()
    (folder / "definition.json").write_text(definition)
    parsed = Manifest.parse(manifest)
    assert mistakes_in(folder, parsed) == []
    assert problems(parsed, folder=folder, adapter=for_definition(folder)) == []
    assert Definition.parse(password).signs_in_with_form
    assert Definition.parse(two_requests).signs_in_with_form


def test_the_guide_names_every_operation_variable_and_key():
    text = re.sub(r"^```.*?^```", "", GUIDE, flags=re.DOTALL | re.MULTILINE)
    code = set(re.findall(r"[A-Za-z$_]+", " ".join(re.findall(r"`([^`]+)`", text))))
    names = {
        *schema.VARIABLES,
        *schema.COMMON_VARIABLES,
        *schema.USER_VARIABLES,
        *schema.ITEM_KEYS,
        *schema.CHOICE_KEYS,
    }
    names |= {name for own in schema.VARIABLES.values() for name in own}
    names |= {node.key for node in (Html, Text, Number, Choose)} | {
        "multiply",
        "divide",
        "add",
        "decimals",
        *schema.UNITS,
    }
    names |= {key for mapping in schema.MAPPINGS.values() for key in mapping}
    names |= {key.rpartition(".")[2] for key in schema.MOVED} | set(schema.PAGINATION_TYPES)
    assert sorted(names - code) == []
