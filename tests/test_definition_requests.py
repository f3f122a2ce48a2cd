"""What a definition can say beyond one plain request: units, forced texts, pages by body, a second sign-in request."""

from __future__ import annotations

import socket
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.contract import (
    CallLogChange,
    ConnectorError,
    Credentials,
    CredentialsRejected,
    LoginForm,
    MessageLogChange,
    OutboundPolicy,
    RequestRejected,
)
from adapters.proxy.definition import Definition, DefinitionError
from adapters.proxy.fit import misfits
from tests.declarative import ENTRY, PHONE, PIA, REF, START, USER_INFO, Crm, adapter_for, definition_with, manifest_with

SEARCH = {"method": "POST", "url": "/people/search", "responseMapping": {"listPath": "body.items"}}


@pytest.fixture
def crm():
    with Crm().answering() as crm:
        yield crm


@pytest.fixture
def adapter(tmp_path):
    def make(operations, *, log_format="text/plain", **options):
        return adapter_for(tmp_path, definition_with(operations, meta={"logFormat": log_format}), **options)

    return make


def mistakes(operations, **members):
    try:
        Definition.read(definition_with(operations, **members))
    except DefinitionError as error:
        return error.mistakes
    return []


def _call(**body):
    return {"createCallLog": {"method": "POST", "url": "/calls", "body": body}}


# --- numbers and texts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "sent"),
    [
        ({"$number": "{{callLog.duration}}", "multiply": 1000}, 90_000),
        ({"$number": "{{callLog.duration}}", "divide": 60}, 2),
        ({"$number": "{{callLog.duration}}", "divide": 60, "decimals": 2}, 1.5),
        ({"$number": "{{callLog.duration}}", "divide": 3600, "decimals": 4}, 0.025),
        ({"$number": "{{startTime}}"}, 1_777_912_267),
        ({"$number": "{{startTime}}", "multiply": 1000}, 1_777_912_267_000),
        ({"$number": "{{callLog.duration}}", "add": -1}, 89),
        ({"$text": "{{callLog.duration}}"}, "90"),
        ({"$text": "{{callLog.duration}}s"}, "90s"),
    ],
)
def test_a_value_is_sent_in_the_crms_unit_and_type(crm, adapter, rule, sent):
    crm.will_answer({"id": 5})

    adapter(_call(x=rule)).create_call_log(ENTRY)

    assert crm.sent == {"x": sent}
    assert type(crm.sent["x"]) is type(sent)


def test_a_number_or_text_that_is_not_known_is_left_out_and_null_stays_null(crm, adapter):
    crm.will_answer({"id": 5})
    rules = {
        "a": {"$number": "{{callLog.none}}", "multiply": 2},
        "b": {"$text": "{{callLog.none}}"},
        "c": {"$number": "{{additionalSubmission.deals}}"},
        "d": {"$text": "{{additionalSubmission.deals}}"},
        "e": 1,
    }

    adapter(_call(**rules)).create_call_log(ENTRY)

    assert crm.sent == {"c": None, "d": None, "e": 1}


def test_what_is_no_number_is_not_sent(crm, adapter):
    with pytest.raises(RequestRejected) as error:
        adapter(_call(x={"$number": "{{subject}}"})).create_call_log(ENTRY)

    assert error.value.reason == "'subject' is no number"
    assert crm.requests == []


@pytest.mark.parametrize(
    "value", ["1e999999999", "9" * 40, "1_000", "0x10", "1;drop", "{{callLog.duration}}", "__import__"]
)
def test_arithmetic_reads_plain_numbers_and_runs_nothing(crm, adapter, value):
    entry = replace(ENTRY, subject=value)

    with pytest.raises(RequestRejected):
        adapter(_call(x={"$number": "{{subject}}", "multiply": 1000})).create_call_log(entry)

    assert crm.requests == []


def test_numbers_and_texts_work_in_the_query_too(crm, adapter):
    crm.will_answer({"items": []})
    query = {"size": {"$number": "{{phoneNumber}}", "divide": 1}, "tel": {"$text": "{{phoneNumber}}"}}
    find = {"findContact": {"url": "/people", "query": query, "responseMapping": {"listPath": "body.items"}}}

    adapter(find).find_contacts(PHONE)

    assert parse_qs(urlsplit(crm.last.url).query) == {"size": ["16505550112"], "tel": ["+16505550112"]}


@pytest.mark.parametrize(
    ("rule", "mistake"),
    [
        ({"$number": "{{callLog.duration}}", "divide": 0}, "x.divide: must be a number, not 0"),
        ({"$number": "{{callLog.duration}}", "multiply": "1000"}, "x.multiply: must be a number, not 0"),
        ({"$number": "{{callLog.duration}}", "multiply": True}, "x.multiply: must be a number, not 0"),
        ({"$number": "{{callLog.duration}} s"}, "x.$number: must be one placeholder and nothing beside it"),
        ({"$number": "{{callLog.duration}}", "decimals": 9}, "x.decimals: must be a whole number from 0 to 6"),
        ({"$number": "{{callLog.duration}}", "times": 2}, "x.times: is not known here"),
        ({"$number": "{{lenght}}"}, "x.$number: there is no variable 'lenght' here"),
        ({"$text": 5}, "x.$text: must be a text"),
    ],
)
def test_a_mistake_in_a_rule_is_named(rule, mistake):
    assert mistakes(_call(x=rule)) == [f"operations.createCallLog.body.{mistake}"]


@pytest.mark.parametrize(
    ("unit", "given", "seconds"),
    [(None, 90, 90), ("milliseconds", 90_400, 90), ("minutes", 1.5, 90), ("milliseconds", None, None)],
)
def test_the_duration_of_a_log_is_read_in_the_crms_unit(crm, adapter, unit, given, seconds):
    crm.will_answer({"note": "", "took": given})
    mapping = {"durationPath": "body.took", **({"durationUnit": unit} if unit else {})}

    read = adapter({"getCallLog": {"url": "/calls/{{thirdPartyLogId}}", "responseMapping": mapping}}).get_call_log(REF)

    assert read.duration == seconds


def test_an_unknown_unit_is_named():
    read = {"url": "/calls/{{thirdPartyLogId}}", "responseMapping": {"durationPath": "body.x", "durationUnit": "hours"}}

    assert mistakes({"getCallLog": read}) == [
        "operations.getCallLog.responseMapping.durationUnit: must be one of seconds, milliseconds, minutes"
    ]


# --- pages by body -------------------------------------------------------------------------------


def _paged(**pagination):
    body = {"filter": {"tel": "{{phoneNumber}}"}, "page": {"order": "asc"}}
    return {"findContact": {**SEARCH, "body": body, "pagination": {"in": "body", **pagination}}}


def test_a_cursor_goes_into_the_body_with_its_type(crm, adapter):
    pages = [{"items": [{"id": n, "phone": PHONE.e164}], "paging": {"next": {"after": n}}} for n in (1, 2)]
    crm.will_answer(*pages, {"items": [{"id": 3, "phone": PHONE.e164}], "paging": {}})
    paging = {"type": "cursor", "param": "page.after", "sizeParam": "page.limit", "size": 1}

    found = adapter(_paged(**paging, nextPath="body.paging.next.after")).find_contacts(PHONE)

    assert [contact.id for contact in found.contacts] == [1, 2, 3]
    assert [Crm.sent.fget(_Only(request)) for request in crm.requests] == [
        {"filter": {"tel": "+16505550112"}, "page": {"order": "asc", "limit": 1, **after}}
        for after in ({}, {"after": 1}, {"after": 2})
    ]
    assert {urlsplit(request.url).query for request in crm.requests} == {""}


class _Only:
    def __init__(self, last):
        self.last = last


@pytest.mark.parametrize(("kind", "values"), [("page", [1, 2]), ("offset", [0, 1])])
def test_pages_are_counted_in_the_body(crm, adapter, kind, values):
    crm.will_answer({"items": [{"id": 1}]}, {"items": []})

    adapter(_paged(type=kind, param="page.number", size=1)).find_contacts(PHONE)

    assert [Crm.sent.fget(_Only(one))["page"]["number"] for one in crm.requests] == values


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"pagination": {"in": "body", "type": "link"}}, "pagination.in: has no meaning for pagination by link"),
        ({"pagination": {"in": "header", "type": "link"}}, "pagination.in: must be one of query, body"),
        (
            {"body": ["x"], "pagination": {"in": "body", "type": "page", "param": "p", "size": 1}},
            "pagination.in: needs a body that is an object, and another method than GET",
        ),
        (
            {"pagination": {"in": "body", "type": "page", "param": "a..b", "size": 1}, "body": {}},
            "pagination.param: 'a..b' is not a path of names separated by dots",
        ),
    ],
)
def test_a_mistake_in_pages_by_body_is_named(change, mistake):
    assert mistakes({"findContact": {**SEARCH, "body": {"a": 1}, **change}}) == [f"operations.findContact.{mistake}"]


# --- a second request at sign-in ------------------------------------------------------------------

SIGN_IN = {
    "signIn": {
        "method": "POST",
        "url": "/sessions",
        "body": {"user": "{{additionalInfo.username}}", "word": "{{additionalInfo.password}}"},
        "responseMapping": {"overridingApiKeyPath": "body.token"},
    },
    "getUserInfo": {
        "url": "/accounts/{{signIn.account}}",
        "responseMapping": {
            "idPath": "signIn.user.id",
            "namePath": "signIn.user.name",
            "timezoneNamePath": "body.tz",
            "platformAdditionalInfoPaths": {"plan": "body.plan"},
        },
    },
}
KEY_LOGIN = {"auth": {"scheme": "Token", "credentialTemplate": "{{apiKey}}", "encode": "none"}}
FORM = LoginForm(fields={"username": "pia", "password": "word-1"})


def _signing_in(tmp_path, operations=SIGN_IN, **options):
    return adapter_for(tmp_path, {**KEY_LOGIN, "operations": operations}, credentials=Credentials(), **options)


def test_the_second_request_carries_the_key_of_the_first_and_reads_its_answer(crm, tmp_path):
    crm.will_answer({"token": "t-1", "account": "acc/7", "user": {"id": 9, "name": "Pia"}})
    crm.will_answer({"tz": "Europe/Rome", "plan": "pro"})
    one = _signing_in(tmp_path)

    credentials = one.login(FORM)

    first, second = crm.requests
    assert first.headers.get("Authorization") is None
    assert second.headers["Authorization"] == "Token t-1"
    assert second.url.endswith("/accounts/acc%2F7")
    assert credentials.access_token == "t-1"
    profile = (
        _signing_in(tmp_path, SIGN_IN)
        .__class__(http=one.http, context=replace(one.context, credentials=credentials))
        .user_profile()
    )
    assert (profile.id, profile.name, profile.timezone, profile.extra) == (9, "Pia", "Europe/Rome", {"plan": "pro"})
    assert "word-1" not in repr(credentials.extra)


def test_a_first_request_without_a_key_ends_the_sign_in(crm, tmp_path):
    crm.will_answer({"account": "a", "user": {"id": 9, "name": "Pia"}})

    with pytest.raises(CredentialsRejected):
        _signing_in(tmp_path).login(FORM)

    assert len(crm.requests) == 1


def test_an_oauth_login_may_ask_twice_who_the_user_is(crm, tmp_path):
    crm.will_answer({"id": 9, "firm": 4}, {"name": "Pia Ostrow"})
    operations = {
        "signIn": {"url": "/me"},
        "getUserInfo": {
            "url": "/firms/{{signIn.firm}}",
            "responseMapping": {"idPath": "signIn.id", "namePath": "body.name", "accountIdPath": "signIn.firm"},
        },
    }

    profile = adapter_for(tmp_path, {"operations": operations}, auth={"type": "oauth"}).user_profile()

    assert (profile.id, profile.name, profile.account_id) == (9, "Pia Ostrow", "4")
    assert [request.headers["Authorization"] for request in crm.requests] == ["Bearer key-1"] * 2


@pytest.mark.parametrize(
    "host", ["evil.example", "api.grove.example.evil.example", "127.0.0.1", "api.grove.example:8443", "a@evil.example"]
)
def test_the_second_request_goes_to_no_other_host_than_the_manifest_allows(crm, tmp_path, host):
    crm.will_answer({"token": "t-1", "host": host, "user": {"id": 9}})
    user_info = {"url": "https://{{signIn.host}}/me", "responseMapping": {"idPath": "signIn.user.id"}}
    one = _signing_in(tmp_path, {**SIGN_IN, "getUserInfo": user_info}, host_in_identity=True)

    with pytest.raises(RequestRejected):
        one.login(FORM)

    assert len(crm.requests) == 1  # the key of the first never left for there


def test_the_second_request_may_go_to_a_host_that_the_manifest_allows(crm, tmp_path):
    crm.will_answer({"token": "t-1", "host": "eu.grove.example", "user": {"id": 9}}, {})
    user_info = {"url": "https://{{signIn.host}}/me", "responseMapping": {"idPath": "signIn.user.id"}}

    _signing_in(tmp_path, {**SIGN_IN, "getUserInfo": user_info}, host_in_identity=True).login(FORM)

    assert crm.last.url == "https://eu.grove.example/me"


def test_the_second_request_is_refused_where_its_name_leads_to_a_private_address(tmp_path, monkeypatch):
    crm = Crm()
    crm.will_answer({"token": "t-1", "host": "in.grove.example", "user": {"id": 9}})
    user_info = {"url": "https://{{signIn.host}}/me", "responseMapping": {"idPath": "signIn.user.id"}}
    one = _signing_in(
        tmp_path,
        {**SIGN_IN, "getUserInfo": user_info},
        host_in_identity=True,
        policy=OutboundPolicy(allow_private_addresses=False),
    )
    answer = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **named: [answer])

    with pytest.raises(ConnectorError):  # the real transport: it looks at the address before it connects
        one.login(FORM)


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (
            {"signIn": None},
            "operations.getUserInfo.url: there is no operations.signIn whose answer could be read",
        ),
        (
            {"getUserInfo": {"url": "/me", "responseMapping": {
                "idPath": "body.id", "platformAdditionalInfoPaths": {"k": "signIn.token"}}}},
            "operations.getUserInfo.responseMapping.platformAdditionalInfoPaths.k: would keep the key in the open",
        ),
        (
            {"getUserInfo": {"url": "/me", "responseMapping": {
                "idPath": "body.id", "platformAdditionalInfoPaths": {"k": "signIn"}}}},
            "operations.getUserInfo.responseMapping.platformAdditionalInfoPaths.k: would keep the key in the open",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_the_sign_in_is_named(change, mistake):
    operations = {name: value for name, value in {**SIGN_IN, **change}.items() if value is not None}

    with pytest.raises(DefinitionError) as error:
        Definition.read({**KEY_LOGIN, "operations": operations})

    assert mistake in error.value.mistakes


def test_a_sign_in_at_the_users_host_makes_the_host_part_of_who_they_are():
    operations = {**SIGN_IN, "signIn": {**SIGN_IN["signIn"], "url": "https://{{hostname}}/sessions"}}
    definition = Definition.read({**KEY_LOGIN, "operations": operations})

    assert any("host_in_identity must be true" in fault for fault in misfits(definition, manifest_with()))


def test_a_blank_field_of_the_first_request_is_asked_for(crm, tmp_path):
    one = _signing_in(tmp_path)
    client = {**one.manifest.client, "auth": {"apiKey": {"page": {"content": [
        {"const": "password", "title": "Password", "required": True}]}}}}  # fmt: skip
    one.manifest = replace(one.manifest, client=client)

    with pytest.raises(RequestRejected, match="Please fill in: Password"):
        one.login(LoginForm(fields={"username": "pia", "password": " "}))


# --- messages never replace what was not read -----------------------------------------------------

READ = {"url": "/threads/{{thirdPartyLogId}}", "responseMapping": {"fullBodyPath": "body.text"}}


@pytest.mark.parametrize("path", ["message.subject", "message", "messages", "messages.0", "messages.0.subject"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_new_messages_may_not_take_the_place_of_a_log_that_was_not_read(path, method):
    update = {"method": method, "url": "/threads/{{thirdPartyLogId}}", "body": {"text": f"{{{{{path}}}}}"}}

    for operations in ({"updateMessageLog": update}, {"updateMessageLog": update, "getMessageLog": READ}):
        (found,) = mistakes(operations)
        assert found.startswith(f"operations.updateMessageLog.body.text: '{path}' would take the place of")


def test_what_is_appended_by_the_crm_itself_or_says_nothing_of_the_text_may_be_sent_unread():
    comment = {"method": "POST", "url": "/threads/{{thirdPartyLogId}}/comments", "body": {"t": "{{message.subject}}"}}
    mark = {"method": "PATCH", "url": "/threads/{{thirdPartyLogId}}", "body": {"last": "{{message.creationTime}}"}}

    assert mistakes({"updateMessageLog": comment}) == []
    assert mistakes({"updateMessageLog": mark}) == []


def test_nothing_is_written_where_the_log_could_not_be_read(crm, adapter):
    crm.will_answer({"other": 1})
    update = {"method": "PUT", "url": "/threads/{{thirdPartyLogId}}", "body": {"text": "{{composedLogDetails}}"}}
    one = adapter({"getMessageLog": READ, "updateMessageLog": update})
    change = MessageLogChange(contact=PIA, messages=(), append=lambda body, _: f"{body}+new", ended_at=START)

    with pytest.raises(ConnectorError):
        one.update_message_log(REF, change)

    assert [request.method for request in crm.requests] == ["GET"]


def test_an_edit_keeps_its_units(crm, adapter):
    crm.will_answer({"id": 5})
    update = {"method": "PATCH", "url": "/calls/{{thirdPartyLogId}}", "body": {
        "ms": {"$number": "{{duration}}", "multiply": 1000}, "title": {"$text": "{{subject}}"}}}  # fmt: skip
    one = adapter({"getCallLog": {"url": "/calls/{{thirdPartyLogId}}"}, "updateCallLog": update})

    one.update_call_log(REF, CallLogChange(duration=12))

    assert crm.sent == {"ms": 12_000}


def test_a_definition_without_a_first_request_signs_in_as_before(crm, tmp_path):
    crm.will_answer({"id": 9, "name": "Pia"})

    profile = adapter_for(tmp_path, {"operations": {"getUserInfo": USER_INFO}}).user_profile()

    assert (profile.id, len(crm.requests)) == (9, 1)
