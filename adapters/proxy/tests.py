"""What a definition means: requests, logins, pages, results."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.contract import (
    BodyTooLong,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    ContactDraft,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmUnavailable,
    Direction,
    Disposition,
    LoggedCall,
    LoginForm,
    LogMarker,
    Message,
    MessageKind,
    MessageLogChange,
    MessageLogEntry,
    OAuthCallback,
    Party,
    RateLimited,
    RecordNotFound,
    ReferenceGone,
    RequestRejected,
    UnexpectedResponse,
    UnsupportedOperation,
    UserProfile,
)
from adapters.proxy import schema
from adapters.proxy.reading import moment, number
from tests.declarative import ENTRY, PHONE, PIA, REF, START, Crm, adapter_for, definition_with

FIND = {"url": "/people", "query": {"tel": "{{phoneNumber}}"}, "responseMapping": {"listPath": "body.items"}}


@pytest.fixture
def crm():
    with Crm().answering() as crm:
        yield crm


@pytest.fixture
def adapter(tmp_path):
    def make(operations, *, login=None, defaults=None, log_format="text/plain", **options):
        members = {"meta": {"logFormat": log_format}, "auth": login or {}, "requestDefaults": defaults or {}}
        return adapter_for(tmp_path, definition_with(operations, **members), **options)

    return make


def create_call(**body):
    return {"createCallLog": {"method": "POST", "url": "/calls", "body": body}}


# --- how a request is made -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("auth", "server", "header", "value"),
    [
        ({}, {}, "Authorization", "Basic a2V5LTE6"),
        ({}, {"auth": {"type": "oauth"}}, "Authorization", "Bearer key-1"),
        ({"scheme": "Token"}, {"auth": {"type": "oauth"}}, "Authorization", "Token key-1"),
        ({"credentialTemplate": "{{apiKey}}"}, {}, "Authorization", "a2V5LTE="),
        ({"scheme": "Key", "credentialTemplate": "{{apiKey}}", "encode": "none"}, {}, "Authorization", "Key key-1"),
        (
            {"headerName": "X-Key", "credentialTemplate": "k={{user.accessToken}}", "encode": "none"},
            {},
            "X-Key",
            "k=key-1",
        ),
        (
            {"headerName": "X-Key", "credentialTemplate": "{{authHeader}}", "encode": "none"},
            {},
            "X-Key",
            "Basic a2V5LTE6",
        ),
    ],
)
def test_the_login_travels_as_the_definition_says(adapter, crm, auth, server, header, value):
    crm.will_answer({"id": 1})
    adapter({}, login=auth, **server).user_profile()
    assert crm.last.headers[header] == value
    assert ("Authorization" in crm.last.headers) == (header == "Authorization")


def test_an_operations_own_login_replaces_the_definitions(adapter, crm):
    crm.will_answer({"items": []})
    own = {"auth": {"headerName": "X-Own", "credentialTemplate": "{{user.id}}", "encode": "none"}}
    adapter(
        {"findContact": {**FIND, **own}}, login={"scheme": "Key", "credentialTemplate": "{{apiKey}}"}
    ).find_contacts(PHONE)
    assert crm.last.headers["X-Own"] == "41"
    assert "Authorization" not in crm.last.headers


def test_a_credential_that_is_not_there_is_a_missing_login(adapter, crm):
    with pytest.raises(CredentialsRejected, match="incomplete"):
        adapter({"findContact": FIND}, login={"credentialTemplate": "{{apiKey}}"}, key="").find_contacts(PHONE)
    assert crm.requests == []


def test_later_headers_win_whatever_their_case(adapter, crm):
    crm.will_answer({"items": []})
    defaults = {"defaultHeaders": {"X-Mode": "a", "accept": "application/vnd.grove+json", "AUTHORIZATION": "old"}}
    find = {**FIND, "headers": {"x-mode": "b", "X-Gone": "{{phoneFormats.9}}", "X-Mixed": "<{{phoneFormats.9}}>"}}
    adapter({"findContact": find}, defaults=defaults).find_contacts(PHONE)
    names = [name.lower() for name in crm.last.headers]
    assert len(names) == len(set(names))
    assert crm.last.headers["x-mode"] == "b"
    assert crm.last.headers["accept"] == "application/vnd.grove+json"
    assert crm.last.headers["Authorization"].startswith("Basic ")
    assert "x-gone" not in names
    assert crm.last.headers["X-Mixed"] == "<>"


def test_query_values_are_escaped_repeated_or_left_out(adapter, crm):
    crm.will_answer({"items": []})
    query = {
        "tel": "{{phoneNumber}}",
        "formats": "{{phoneFormats}}",
        "gone": "{{user.email}}",
        "mixed": "mail={{user.email}}&x",
        "valid": "{{parsedPhoneNumber.valid}}",
        "size": 50,
        "all": True,
    }
    adapter(
        {"findContact": {**FIND, "query": query}}, defaults={"defaultQuery": {"v": "2", "size": "1"}}
    ).find_contacts(PHONE)
    assert parse_qs(urlsplit(crm.last.url).query) == {
        "v": ["2"],
        "tel": ["+16505550112"],
        "formats": ["+16505550112", "6505550112", "(650) 555-0112"],
        "mixed": ["mail=&x"],
        "valid": ["true"],
        "size": ["50"],
        "all": ["true"],
    }


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("/people", "https://api.grove.example/v1/people"),
        ("people", "https://api.grove.example/v1/people"),
        ("", "https://api.grove.example/v1"),
        ("https://eu.grove.example/x", "https://eu.grove.example/x"),
        ("https://{{user.platformAdditionalInfo.region}}.grove.example/x", "https://eu.grove.example/x"),
        ("/{{user.id}}-{{user.name}}/x", "https://api.grove.example/v1/41-Kim%20Alder/x"),
    ],
)
def test_an_address_is_absolute_or_below_the_base_url(adapter, crm, url, address):
    crm.will_answer({"items": []})
    user = UserProfile(id=41, name="Kim Alder", extra={"region": "eu"})
    adapter({"findContact": {**FIND, "url": url, "query": {}}}, user=user).find_contacts(PHONE)
    assert crm.last.url == address


def test_values_keep_their_type_and_what_is_missing_is_left_out(adapter, crm):
    crm.will_answer({"id": 5})
    body = {
        "seconds": "{{callLog.duration}}",
        "text": "Duration {{callLog.duration}}s, {{transcript}}.",
        "gone": "{{transcript}}",
        "stage": "{{additionalSubmission.stage}}",
        "deal": "{{additionalSubmission.deals}}",
        "who": "{{ contactInfo }}",
        "list": ["{{note}}", "{{transcript}}", 1, None, {"deep": ["{{startTime}}", "{{endTime}}"]}],
        "fixed": {"a": 1.5, "b": False, "c": None},
        "way": {"$choose": "{{callLog.direction}}", "from": {"Inbound": 1}, "else": 2},
        "result": {"$choose": "{{callLog.result}}", "from": {"Missed": 1}},
        "other": {"$choose": "{{callLog.result}}", "from": {"Missed": 1}, "else": None},
        "html": {"$html": "<b>{{callLog.from.name}}</b>{{composedLogDetails}}"},
    }
    result = adapter(create_call(**body)).create_call_log(ENTRY)
    assert result.log_id == 5
    assert crm.sent == {
        "seconds": 90,
        "text": "Duration 90s, .",
        "stage": 0,
        "deal": None,
        "who": {"id": "per_1", "name": "Pia Ostrow", "phoneNumber": "+16505550112", "type": "Person"},
        "list": ["x", 1, None, {"deep": ["2026-05-04T16:31:07.000Z", "2026-05-04T16:32:37.000Z"]}],
        "fixed": {"a": 1.5, "b": False, "c": None},
        "way": 1,
        "other": None,
        "html": "<b>P</b>- Note: x\n",
    }


def test_a_body_is_sent_only_where_there_is_one(adapter, crm):
    crm.will_answer({"items": []})
    adapter({"findContact": FIND}).find_contacts(PHONE)
    assert crm.last.body is None
    assert "Content-Type" not in crm.last.headers


def test_text_that_came_from_data_is_never_a_template(adapter, crm):
    crm.will_answer({"id": 5})
    entry = CallLogEntry(
        session_id="s",
        direction=Direction.INBOUND,
        contact=PIA,
        started_at=START,
        note="{{apiKey}} {{user.accessToken}}",
    )
    adapter(create_call(a="{{note}}", b="<{{note}}>", c={"$html": "{{note}}"})).create_call_log(entry)
    assert crm.sent == {
        key: text.format("{{apiKey}} {{user.accessToken}}") for key, text in {"a": "{}", "b": "<{}>", "c": "{}"}.items()
    }


def test_an_operations_own_variables_cannot_hide_the_common_ones():
    names = {name for names in schema.VARIABLES.values() for name in names}
    assert not names & schema.COMMON_VARIABLES


# --- signing in and out --------------------------------------------------------------------------

SESSIONS = {
    "method": "POST",
    "url": "/sessions",
    "auth": {"scheme": "Basic", "credentialTemplate": "{{additionalInfo.username}}:{{additionalInfo.password}}"},
    "responseMapping": {
        "idPath": "body.user.id",
        "overridingApiKeyPath": "body.token",
        "messagePath": "body.hello",
        "platformAdditionalInfoPaths": {"branch": "additionalInfo.branch", "none": "body.nothing"},
    },
}


def test_name_and_password_become_a_key_in_one_request(tmp_path, crm):
    crm.will_answer({"user": {"id": 0}, "token": "t-1", "hello": "Welcome back"})
    definition = {"operations": {"getUserInfo": SESSIONS}}
    form = LoginForm(fields={"username": "kim", "password": "pw", "branch": "N"}, hostname="https://Eu.grove.example/x")
    found = adapter_for(tmp_path, definition, credentials=Credentials()).login(form)
    assert crm.last.headers["Authorization"] == "Basic a2ltOnB3"
    assert (found.access_token, found.hostname) == ("t-1", "eu.grove.example")
    stored = Credentials(**json.loads(json.dumps({"access_token": "t-1", "extra": dict(found.extra)})))
    connected = adapter_for(tmp_path, definition, credentials=stored)
    assert connected.user_profile() == UserProfile(
        id=0, name="0", hostname="api.grove.example", identity_host="api.grove.example", extra={"branch": "N"}
    )
    assert connected.connected_notice().message == "Welcome back"
    assert len(crm.requests) == 1
    assert "pw" not in str(dict(found.extra))
    with pytest.raises(UnsupportedOperation):
        connected.refresh_user()


def test_a_sign_in_without_a_key_sends_no_login_header(tmp_path, crm):
    crm.will_answer({"user": {"id": 1}, "token": "t-1"})
    request = {**SESSIONS, "body": {"login": "{{additionalInfo.username}}"}}
    del request["auth"]
    form = LoginForm(fields={"username": "kim"})
    adapter_for(tmp_path, {"operations": {"getUserInfo": request}}, credentials=Credentials()).login(form)
    assert "Authorization" not in crm.last.headers


def test_a_sign_in_that_gives_no_key_fails(tmp_path, crm):
    crm.will_answer({"user": {"id": 1}, "token": ""})
    with pytest.raises(CredentialsRejected):
        adapter_for(tmp_path, {"operations": {"getUserInfo": SESSIONS}}).login(
            LoginForm(fields={"username": "a", "password": "b"})
        )


@pytest.mark.parametrize("answer", [{}, {"id": ""}, {"id": None}, {"id": 1.5}, {"id": [1]}, [], None])
def test_a_user_without_an_id_does_not_sign_in(adapter, crm, answer):
    crm.will_answer(answer)
    with pytest.raises(UnexpectedResponse):
        adapter({}).user_profile()


def test_a_plain_key_is_checked_by_reading_the_user(adapter, crm):
    crm.will_answer({"id": "u-1-2", "name": 12})
    one = adapter({})
    assert one.login(LoginForm(fields={"apiKey": " k "})).access_token == "k"
    with pytest.raises(CredentialsRejected, match="API key"):
        one.login(LoginForm(fields={"apiKey": " "}))
    assert crm.requests == []
    assert (one.user_profile().id, one.user_profile().name) == ("u-1-2", "12")
    assert one.connected_notice().message == "Connected to Grove."


def test_the_users_host_is_part_of_the_base_url(tmp_path, crm):
    crm.will_answer({"id": 1})
    one = adapter_for(
        tmp_path,
        definition_with({}),
        credentials=Credentials(access_token="k", hostname="acme.grove.example"),
        base_url="https://{hostname}/v1",
    )
    assert one.user_profile().hostname == "acme.grove.example"
    assert crm.last.url == "https://acme.grove.example/v1/me"


def test_logging_out_is_the_definitions_request_or_the_manifests(tmp_path, crm):
    crm.will_answer({})
    definition = definition_with({"unAuthorize": {"method": "DELETE", "url": "/sessions/{{user.id}}"}})
    adapter_for(tmp_path, definition).revoke()
    assert (crm.last.method, crm.last.url) == ("DELETE", "https://api.grove.example/v1/sessions/41")
    auth = {"type": "oauth", "revoke_url": "https://id.grove.example/revoke"}
    adapter_for(
        tmp_path, definition_with({}), auth=auth, credentials=Credentials(access_token="a", refresh_token="r")
    ).revoke()
    assert crm.last.url == "https://id.grove.example/revoke"
    assert "token=r" in crm.last.body
    adapter_for(tmp_path, definition_with({})).revoke()
    assert len(crm.requests) == 2


def test_a_session_is_over_only_when_the_crm_says_so(adapter, crm):
    crm.will_answer({}, {"error": "no"}, status=200)
    one = adapter({"validateSession": {"url": "/me"}})
    assert one.validate_session() is True
    crm.replies = [(401, {}, {})]
    assert one.validate_session() is False
    crm.replies = [(403, {"error": "no"}, {})]
    with pytest.raises(Exception, match="permission"):
        one.validate_session()


# --- contacts ------------------------------------------------------------------------------------


def test_a_contact_is_read_from_wherever_the_definition_says(adapter, crm):
    row = {
        "k": 7,
        "n": {"f": "Ann", "l": " Pear "},
        "tels": ["+1 650 555 0112"],
        "job": None,
        "firm": "Pear Ltd",
        "made": "20260501",
        "seen": 1777593600,
        "info": {"vip": True},
        "deals": [{"id": "d1", "name": 4, "state": "open"}],
    }
    item = {
        "idPath": "k",
        "namePath": ["n.f", "n.m", "n.l"],
        "phonePaths": ["mobile", "tels"],
        "titlePath": "job",
        "companyPath": "firm",
        "type": "Person",
        "createdDatePath": "made",
        "mostRecentActivityDatePath": "seen",
        "additionalInfoPath": "info",
        "choices": {"deals": {"listPath": "deals", "descriptionPath": "state"}},
    }
    crm.will_answer([row, {**row, "k": 8, "tels": ["+16505550999"]}, row])
    found = adapter({"findContact": {**FIND, "responseMapping": {"listPath": "body", "item": item}}}).find_contacts(
        PHONE
    )
    (contact,) = found.contacts
    assert (contact.id, contact.name, contact.phone, contact.type) == (7, "Ann Pear", "+1 650 555 0112", "Person")
    assert (contact.title, contact.company) == ("", "Pear Ltd")
    assert contact.created_at == datetime(2026, 5, 1, tzinfo=UTC)
    assert contact.last_activity_at == datetime(2026, 5, 1, tzinfo=UTC)
    assert contact.additional_info["vip"] is True
    (deal,) = contact.additional_info["deals"]
    assert (deal.const, deal.title, deal.description) == ("d1", "4", "open")
    assert [hit.id for hit in found.dropped] == [8]
    assert found.new_contact is None


DEALS = {"choices": {"deals": {"listPath": "deals", "descriptionPath": "state"}}}


@pytest.mark.parametrize(
    ("row", "deals"),
    [
        ({}, []),
        ({"deals": None}, []),
        ({"deals": {}}, []),
        ({"deals": [{"id": None, "name": "x"}, {"id": 3, "name": "ok"}, "no row"]}, [(3, "ok")]),
        ({"deals": [{"id": 4, "name": ["x"], "state": {}}]}, [(4, "4")]),
        ({"deals": [{"id": 4, "name": None}]}, [(4, "4")]),
    ],
)
def test_choices_that_cannot_be_read_hide_no_contact(adapter, crm, row, deals):
    crm.will_answer({"items": [{"id": 1, "name": "Ann", **row}]})
    mapping = {"listPath": "body.items", "item": DEALS}
    (contact,) = adapter({"findContact": {**FIND, "responseMapping": mapping}}).find_contacts(PHONE).contacts
    assert [(deal.const, deal.title) for deal in contact.additional_info["deals"]] == deals


@pytest.mark.parametrize("odd", [["Person"], {"first": "Ann"}, True])
def test_an_odd_type_or_name_hides_no_contact(adapter, crm, odd):
    crm.will_answer({"items": [{"id": 1, "name": odd, "type": odd}]})
    (contact,) = adapter({"findContact": FIND}).find_contacts(PHONE).contacts
    assert (contact.id, contact.name, contact.type) == (1, "", "Contact")


def test_a_number_that_is_a_decimal_is_read(adapter, crm):
    crm.will_answer({"items": [{"id": 1, "name": "Ann", "phone": 16505550112.0}]})
    mapping = {"listPath": "body.items", "item": {"phonePaths": ["phone"]}}
    found = adapter({"findContact": {**FIND, "responseMapping": mapping}}).find_contacts(PHONE)
    assert [contact.phone for contact in found.contacts] == ["16505550112"]


def test_what_a_contact_lacks_is_empty_and_the_number_is_the_one_looked_up(adapter, crm):
    crm.will_answer({"items": [{"id": "a"}]})
    (contact,) = adapter({"findContact": FIND}).find_contacts(PHONE).contacts
    assert (contact.id, contact.name, contact.phone, contact.type) == ("a", "", "+16505550112", "Contact")
    assert (contact.title, contact.company, contact.created_at) == ("", "", None)


def test_bad_rows_hide_no_good_one_and_large_ids_keep_their_digits(adapter, crm):
    rows = [
        {"id": 554023000000235011, "name": "Big"},
        {"id": 55402300000023501111, "name": "Bigger"},
        {"id": None, "name": "Broken"},
        "no row",
        {"id": "1", "name": "D", "createdDate": "0000-00-00 00:00:00", "title": {"no": "text"}},
        {"id": "3", "name": "Gone", "is_deleted": True},
        {"id": "2", "name": "Good"},
    ]
    crm.will_answer({"items": rows})
    found = adapter({"findContact": FIND}).find_contacts(PHONE)
    assert [contact.id for contact in found.contacts] == ["554023000000235011", "55402300000023501111", "1", "2"]
    assert found.contacts[2].created_at is None
    assert [hit.reason for hit in found.dropped] == ["cannot be read: expected an id at 'id'", "was deleted"]


@pytest.mark.parametrize("flag", [{"is_deleted": True}, {"IsDeleted": "1"}, {"deletedDate": "2026-05-04"}])
def test_a_log_that_can_still_be_read_but_was_deleted_is_gone(adapter, crm, flag):
    crm.will_answer({"result": {"note": "- Note: x\n", **flag}})
    one = adapter({"getCallLog": {"url": "/touches/1", "responseMapping": {"fullBodyPath": "body.result.note"}}})
    with pytest.raises(RecordNotFound):
        one.get_call_log(REF)
    day = {"url": "/touches/1", "responseMapping": {"fullBodyPath": "body.result.note"}}
    update = {"method": "PATCH", "url": "/touches/1", "body": {"t": "{{composedLogDetails}}"}}
    one = adapter({**threads(t="{{composedLogDetails}}"), "getMessageLog": day, "updateMessageLog": update})
    change = MessageLogChange(contact=PIA, messages=messages(1), append=lambda body, new: "new", ended_at=START)
    with pytest.raises(RecordNotFound):
        one.update_message_log(REF, change)
    assert {request.method for request in crm.requests} == {"GET"}


REFUSAL = {"success": False, "error": {"code": "ACCESS_DENIED", "message": "Permission is denied"}}
DEFAULTS = {
    "errorMessagePath": "body.error.message",
    "errorCodePath": "body.error.code",
    "sessionErrorCodes": ["INVALID_SESSIONID"],
    "successPath": "body.ok",
    "errorPath": "body.fault",
}


@pytest.mark.parametrize(
    "answer",
    [
        REFUSAL,
        {**REFUSAL, "success": "false", "ok": True},
        {**REFUSAL, "success": True, "ok": False},
        {"error": REFUSAL["error"]},
        {"ok": True, "fault": "denied", "error": REFUSAL["error"]},
    ],
    ids=["success false", "success false as a text", "path not true", "path missing", "path not empty"],
)
@pytest.mark.parametrize(
    "operation",
    [
        lambda one: one.find_contacts(PHONE),
        lambda one: one.create_call_log(ENTRY),
        lambda one: one.update_message_log(
            REF, MessageLogChange(contact=PIA, messages=messages(1), append=lambda body, new: "new", ended_at=START)
        ),
    ],
    ids=["look-up", "call", "texts"],
)
def test_an_error_said_with_200_is_a_refusal_of_every_operation(adapter, crm, operation, answer):
    crm.will_answer(answer)
    operations = {"findContact": FIND, **create_call(x=1), **threads(t="{{composedLogDetails}}")}
    operations["updateMessageLog"] = {"method": "PATCH", "url": "/touches/{{thirdPartyLogId}}", "body": {"x": 1}}
    operations.pop("getMessageLog", None)
    with pytest.raises(RequestRejected) as raised:
        operation(adapter(operations, defaults=DEFAULTS))
    assert raised.value.reason == "Permission is denied"
    assert raised.value.maybe_applied is False


def test_success_false_is_a_refusal_without_a_word_in_the_definition(adapter, crm):
    crm.will_answer(REFUSAL)
    with pytest.raises(RequestRejected) as raised:
        adapter(create_call(x=1), defaults={"errorMessagePath": "body.error.message"}).create_call_log(ENTRY)
    assert raised.value.reason == "Permission is denied"


@pytest.mark.parametrize("key", ["success", "Success", "SUCCESS"])
@pytest.mark.parametrize("value", [False, 0, "0", "no", " false ", "FALSE"])
def test_success_is_denied_in_whatever_way_it_is_written(adapter, crm, key, value):
    crm.will_answer({"id": 7, key: value})
    with pytest.raises(RequestRejected):
        adapter(create_call(x=1)).create_call_log(ENTRY)


@pytest.mark.parametrize("value", [True, "true", 1, None, "", "none"])
def test_anything_else_at_success_is_no_refusal(adapter, crm, value):
    crm.will_answer({"id": 7, "success": value})
    assert adapter(create_call(x=1)).create_call_log(ENTRY).log_id == 7


@pytest.mark.parametrize("code", ["INVALID_SESSIONID", "invalid_sessionid", " Invalid_SessionId "])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_code_of_a_session_that_ended_asks_to_connect_again(adapter, crm, status, code):
    crm.will_answer({"success": False, "error": {"code": code, "message": "Invalid"}}, status=status)
    with pytest.raises(CredentialsRejected):
        adapter(create_call(x=1), defaults=DEFAULTS).create_call_log(ENTRY)


CODES = {
    "limitErrorCodes": ["TOO_MANY", 88],
    "unavailableErrorCodes": ["MAINTENANCE"],
    "goneErrorCodes": ["NO_RECORD"],
    "contactGoneErrorCodes": ["NO_PERSON"],
    "choiceGoneErrorCodes": ["NO_DEAL"],
    "tooLongErrorCodes": ["TOO_LONG"],
}


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("TOO_MANY", RateLimited),
        (88, RateLimited),  # a number counts as its text
        ("MAINTENANCE", CrmUnavailable),
        ("NO_RECORD", RecordNotFound),
        ("NO_PERSON", ReferenceGone),
        ("TOO_LONG", BodyTooLong),
        ("ELSE", RequestRejected),
    ],
)
def test_a_definition_says_what_an_error_code_means(adapter, crm, code, kind, status):
    crm.will_answer({"success": False, "error": {"code": code, "message": "Not now"}}, status=status)
    with pytest.raises(kind) as raised:
        adapter(create_call(x=1), defaults={**DEFAULTS, **CODES}).create_call_log(ENTRY)
    assert type(raised.value) is kind
    assert (raised.value.reason, raised.value.maybe_applied) == ("Not now", False)


def test_with_a_500_a_code_of_a_crm_that_is_down_leaves_the_doubt(adapter, crm):
    crm.will_answer({"success": False, "error": {"code": "MAINTENANCE", "message": "Not now"}}, status=500)
    with pytest.raises(CrmUnavailable) as raised:
        adapter(create_call(x=1), defaults={**DEFAULTS, **CODES}).create_call_log(ENTRY)
    assert raised.value.maybe_applied


DEAL_GONE = {"success": False, "error": {"code": "NO_DEAL", "message": "Deal 7 not found"}}


def test_a_choice_that_is_gone_costs_no_log(adapter, crm):
    crm.will_answer(DEAL_GONE, status=400)
    crm.will_answer({"ok": True, "id": 9})
    one = adapter(create_call(deal="{{additionalSubmission.deal}}", n="1"), defaults={**DEFAULTS, **CODES})
    result = one.create_call_log(replace(ENTRY, submission={"deal": 7}))
    assert [json.loads(request.body) for request in crm.requests] == [{"deal": 7, "n": "1"}, {"n": "1"}]
    assert result.log_id == 9
    assert result.notice.message.startswith("Logged. The record chosen in the form no longer exists in ")


def test_where_nothing_was_chosen_no_request_is_repeated(adapter, crm):
    crm.will_answer(DEAL_GONE, status=400)
    with pytest.raises(ReferenceGone):
        adapter(create_call(n="1"), defaults={**DEFAULTS, **CODES}).create_call_log(replace(ENTRY, submission={}))
    assert len(crm.requests) == 1


@pytest.mark.parametrize(("asked", "shown"), [(True, "R&D Partners"), (False, "R&amp;D Partners")])
def test_entities_in_names_are_decoded_where_the_definition_asks_for_it(adapter, crm, asked, shown):
    row = {"id": 1, "name": "R&amp;D Partners", "phone": "+14155550123", "company": "R&amp;D Partners"}
    crm.will_answer({"items": [row]})
    find = {**FIND, "responseMapping": {"listPath": "body.items", "item": {"decodeEntities": asked}}}
    (contact,) = adapter({"findContact": find}).find_contacts(PHONE).contacts
    assert (contact.name, contact.company) == (shown, shown)


def test_an_answer_that_says_yes_is_none(adapter, crm):
    crm.will_answer({"ok": True, "fault": [], "id": 7})
    assert adapter(create_call(x=1), defaults=DEFAULTS).create_call_log(ENTRY).log_id == 7


@pytest.mark.parametrize(
    ("answer", "place"),
    [
        ({}, "body.items"),
        ({"items": {}}, "body.items"),
        ({"items": ["a"]}, "body.items"),
        ({"items": [{}]}, "id"),
    ],
)
def test_a_surprise_in_an_answer_names_its_place(adapter, crm, answer, place):
    crm.will_answer(answer)
    with pytest.raises(UnexpectedResponse) as raised:
        adapter({"findContact": FIND}).find_contacts(PHONE)
    assert f"'{place}'" in raised.value.reason


def test_a_new_contact_is_offered_where_one_can_be_created(adapter, crm):
    create = {"createContact": {"method": "POST", "url": "/people", "body": {}}}
    assert adapter({"findContact": FIND, **create}).new_contact_offer() is not None
    assert adapter({"findContact": FIND}).new_contact_offer() is None
    assert crm.requests == []


def test_without_a_search_nobody_is_found(adapter):
    assert adapter({}).find_contacts(PHONE).contacts == ()
    for call in (
        lambda one: one.find_contacts_by_name("x"),
        lambda one: one.create_contact(ContactDraft(name="A", phone=PHONE)),
        lambda one: one.create_call_log(ENTRY),
        lambda one: one.get_call_log(REF),
        lambda one: one.list_users(),
        lambda one: one.find_call_log(ENTRY.as_marker()),
    ):
        with pytest.raises(UnsupportedOperation):
            call(adapter({}))


@pytest.mark.parametrize(
    ("pagination", "answers", "queries"),
    [
        (
            {"type": "page", "param": "p", "size": 2, "sizeParam": "n"},
            [{"items": [1, 2]}, {"items": [3]}],
            [{"p": "1", "n": "2"}, {"p": "2", "n": "2"}],
        ),
        (
            {"type": "page", "param": "p", "size": 1, "first": 0},
            [{"items": [1]}, {"items": []}],
            [{"p": "0"}, {"p": "1"}],
        ),
        (
            {"type": "offset", "param": "o", "size": 2},
            [{"items": [1, 2]}, {"items": [3, 4]}, {"items": []}],
            [{"o": "0"}, {"o": "2"}, {"o": "4"}],
        ),
        (
            {"type": "cursor", "param": "c", "nextPath": "body.next", "size": 9, "sizeParam": "n"},
            [{"items": [1], "next": "abc&d"}, {"items": [2], "next": 7}, {"items": [3], "next": None}],
            [{"n": "9"}, {"n": "9", "c": "abc&d"}, {"n": "9", "c": "7"}],
        ),
        (
            {"type": "cursor", "param": "c", "nextPath": "body.next"},
            [{"items": [1], "next": "x"}, {"items": [2], "next": "x"}],
            [{}, {"c": "x"}],
        ),
        (
            {"type": "link", "nextPath": "body.next"},
            [{"items": [1], "next": "/v1/people?after=1"}, {"items": [2], "next": ""}],
            [{}, {"after": "1"}],
        ),
    ],
)
def test_every_page_is_read(adapter, crm, pagination, answers, queries):
    crm.will_answer(*[{**answer, "items": [{"id": n} for n in answer["items"]]} for answer in answers])
    found = adapter({"findContact": {**FIND, "query": {}, "pagination": pagination}}).find_contacts(PHONE)
    assert [contact.id for contact in found.contacts] == [n for answer in answers for n in answer["items"]]
    sent = [{key: values[0] for key, values in parse_qs(urlsplit(one.url).query).items()} for one in crm.requests]
    assert sent == queries
    assert all(urlsplit(one.url).path == "/v1/people" for one in crm.requests)
    assert found.notice is None


def test_a_search_by_post_may_be_repeated_and_leaves_nothing_in_doubt(adapter, crm):
    crm.will_answer({}, status=503)
    crm.will_answer({"items": [{"id": 1}]})
    find = {**FIND, "method": "POST", "body": {"tel": "{{phoneNumber}}"}}
    one = adapter({"findContact": find, **create_call(x=1)})
    assert [contact.id for contact in one.find_contacts(PHONE).contacts] == [1]
    assert len(crm.requests) == 2
    crm.replies = [(500, {}, {})]
    for operation, in_doubt in ((lambda: one.find_contacts(PHONE), False), (lambda: one.create_call_log(ENTRY), True)):
        with pytest.raises(ConnectorError) as raised:
            operation()
        assert raised.value.maybe_applied is in_doubt


def test_log_lines_show_the_shape_of_the_path_and_no_value(adapter, crm, caplog):
    caplog.set_level("INFO", logger="switchboard.outbound")
    crm.will_answer({"note": ""})
    adapter({"getCallLog": {"url": "/people/{{contactId}}/calls/{{thirdPartyLogId}}"}}).get_call_log(REF)
    assert "GET api.grove.example/people/{contactId}/calls/{thirdPartyLogId} -> 200" in caplog.text
    assert "per_1" not in caplog.text


def test_a_link_header_leads_to_the_next_page(adapter, crm):
    crm.will_answer(
        {"items": [{"id": 1}]},
        Link='<https://api.grove.example/v1/people?p=1>; rel="prev", </v1/people?p=2>; rel="next"',
    )
    crm.will_answer({"items": [{"id": 2}]})
    found = adapter({"findContact": {**FIND, "pagination": {"type": "link"}}}).find_contacts(PHONE)
    assert [contact.id for contact in found.contacts] == [1, 2]
    assert crm.last.url.endswith("?p=2")


def test_the_user_is_told_where_pages_were_left_out(adapter, crm):
    crm.will_answer({"items": [{"id": 1}], "next": "a"}, {"items": [{"id": 2}], "next": "b"})
    pagination = {"type": "cursor", "param": "c", "nextPath": "body.next", "maxPages": 2}
    found = adapter({"findContact": {**FIND, "pagination": pagination}}).find_contacts(PHONE)
    assert len(crm.requests) == 2
    assert "more contacts" in found.notice.message


def test_a_created_contact_has_what_the_answer_says_or_what_was_asked_for(adapter, crm):
    crm.will_answer({"id": 0})
    create = {
        "method": "POST",
        "url": "/people",
        "body": {
            "f": "{{newContactFirstName}}",
            "l": "{{newContactLastName}}",
            "rfc": "{{parsedPhoneNumber.number.rfc3966}}",
        },
    }
    contact = adapter({"createContact": create}).create_contact(ContactDraft(name="Byron", phone=PHONE, type="Person"))
    assert (contact.id, contact.name, contact.type, contact.phone) == (0, "Byron", "Person", "+16505550112")
    assert crm.sent == {"l": "Byron", "rfc": "tel:+1-650-555-0112"}


# --- logs ----------------------------------------------------------------------------------------


def test_an_id_is_reported_as_soon_as_it_is_known_in_its_own_type(adapter, crm):
    reported = []
    crm.will_answer({"id": 0})
    entry = CallLogEntry(
        session_id="s", direction=Direction.OUTBOUND, contact=PIA, started_at=START, created=reported.append
    )
    assert adapter(create_call(x=1)).create_call_log(entry).log_id == 0
    assert reported == [0]


@pytest.mark.parametrize("answer", [{}, "", "<html>", {"id": None}])
def test_a_write_whose_id_cannot_be_read_may_have_been_carried_out(adapter, crm, answer):
    crm.will_answer(answer)
    with pytest.raises(UnexpectedResponse) as raised:
        adapter(create_call(x=1)).create_call_log(ENTRY)
    assert raised.value.maybe_applied


def edits(**body):
    get = {"url": "/calls/{{thirdPartyLogId}}", "responseMapping": {"fullBodyPath": "body.text"}}
    update = {"method": "PATCH", "url": "/calls/{{thirdPartyLogId}}", "body": body}
    return {"getCallLog": get, "updateCallLog": update}


def test_an_edit_sends_what_it_gives_and_makes_up_no_times(adapter, crm):
    crm.will_answer(None)
    one = adapter(edits(s="{{subject}}", a="{{startTime}}", z="{{endTime}}", d="{{duration}}", r="{{recordingLink}}"))
    one.update_call_log(REF, CallLogChange(recording_link="https://rec.example/1", duration=9))
    assert crm.sent == {"d": 9, "r": "https://rec.example/1"}
    one.update_call_log(REF, CallLogChange(started_at=START, duration=9))
    assert crm.sent == {"a": "2026-05-04T16:31:07.000Z", "z": "2026-05-04T16:31:16.000Z", "d": 9}
    count = len(crm.requests)
    assert one.update_call_log(REF, CallLogChange()).log_id == "17"
    assert len(crm.requests) == count


def test_an_edit_can_name_what_stands_in_the_crm(adapter, crm):
    crm.will_answer(None)
    one = adapter(edits(v="{{existingCallLogDetails.version}}", s="{{existingCallLog.sessionId}}"))
    one.update_call_log(REF, CallLogChange(current=LoggedCall(raw={"version": 3})))
    assert crm.sent == {"v": 3, "s": "s1"}


def test_the_note_is_read_apart_only_where_the_definition_says_so(adapter, crm):
    crm.will_answer({"text": "- Note: y\n", "own": "mine", "subject": "S"})
    plain = adapter(edits()).get_call_log(REF)
    assert (plain.body, plain.note, plain.subject) == ("- Note: y\n", None, "S")
    operations = edits()
    operations["getCallLog"]["responseMapping"]["notePath"] = "body.own"
    assert adapter(operations).get_call_log(REF).note == "mine"
    assert adapter(edits(), log_format="custom").get_call_log(REF).note == "- Note: y\n"


@pytest.mark.parametrize("answer", [{}, {"text": ["a"]}, {"text": {}}, None])
def test_a_body_that_cannot_be_read_is_not_taken_for_an_empty_one(adapter, crm, answer):
    crm.will_answer(answer)
    with pytest.raises(UnexpectedResponse):
        adapter(edits()).get_call_log(REF)
    crm.replies = [(200, {"text": None}, {})]
    assert adapter(edits()).get_call_log(REF).body == ""


def test_choices_keep_their_type_and_an_empty_one_is_none(adapter, crm):
    crm.will_answer({"text": "", "deal": 4, "stage": "", "other": None, "secs": "90", "at": "2026-05-04T16:31:07Z"})
    operations = edits()
    operations["getCallLog"]["responseMapping"] |= {
        "dispositions": {"deals": "body.deal", "stage": "body.stage", "other": "body.other", "more": "body.more"},
        "durationPath": "body.secs",
        "startTimePath": "body.at",
    }
    found = adapter(operations).get_call_log(REF)
    assert found.dispositions == {"deals": 4, "stage": None, "other": None, "more": None}
    assert (found.duration, found.started_at) == (90, START)


@pytest.mark.parametrize("odd", ["0000-00-00", "soon", ["a"], {}, True, "1e400"])
def test_a_log_is_read_though_its_time_or_duration_is_odd(adapter, crm, odd):
    crm.will_answer({"text": "- Note: x\n", "secs": odd, "at": odd, "who": {}, "subject": []})
    operations = edits()
    operations["getCallLog"]["responseMapping"] |= {
        "durationPath": "body.secs",
        "startTimePath": "body.at",
        "contactNamePath": ["body.who"],
        "subjectPath": "body.subject",
    }
    found = adapter(operations).get_call_log(REF)
    assert (found.body, found.subject, found.contact_name) == ("- Note: x\n", "", "")
    assert (found.duration, found.started_at) == (None, None)


def test_a_choice_that_is_taken_back_is_sent_as_null_and_no_choice_not_at_all(adapter, crm):
    crm.will_answer({})
    put = {"method": "PUT", "url": "/calls/{{thirdPartyLogId}}", "body": {"deal": "{{dispositions.deals}}"}}
    one = adapter({"upsertCallDisposition": put})
    assert one.set_disposition(REF, Disposition(fields={"deals": None})).log_id == "17"
    assert crm.sent == {"deal": None}
    assert one.set_disposition(REF, Disposition(fields={"other": 1})) is None
    assert len(crm.requests) == 1


def test_only_a_row_with_the_marker_counts_as_found(adapter, crm):
    search = {
        "url": "/calls",
        "query": {"q": "{{marker}}"},
        "responseMapping": {"listPath": "body.rows", "markerPath": "x"},
    }
    crm.will_answer({"rows": [{"id": 1, "x": "s10"}, {"id": 2, "x": "s1"}, {"id": 3, "x": "s1"}]})
    one = adapter({"findCallLog": search, "findMessageLog": search})
    assert one.find_call_log(LogMarker(marker="s1", contact=PIA)) == 2
    assert one.find_message_log(LogMarker(marker="s9", contact=PIA)) is None
    crm.replies = [(404, {"error": "none"}, {})]
    assert one.find_call_log(LogMarker(marker="s1", contact=PIA)) is None


def messages(count):
    return tuple(
        Message(
            id=str(n),
            kind=MessageKind.SMS,
            direction=Direction.INBOUND,
            sent_at=START + timedelta(minutes=n),
            text=f"text {n}",
            sender=Party(name="Pia", phone_number="+16505550112"),
        )
        for n in range(count)
    )


def threads(**body):
    return {
        "createMessageLog": {"method": "POST", "url": "/threads", "body": body},
        "getMessageLog": {"url": "/threads/{{thirdPartyLogId}}", "responseMapping": {"fullBodyPath": "body.text"}},
        "updateMessageLog": {"method": "PUT", "url": "/threads/{{thirdPartyLogId}}", "body": body},
    }


def test_new_messages_join_what_stands_in_the_crm(adapter, crm):
    crm.will_answer({"text": "old"}, {})
    one = adapter(threads(t="{{composedLogDetails}}", last="{{message.subject}}", n="{{messages.1.id}}"))
    change = MessageLogChange(
        contact=PIA, messages=messages(2), append=lambda body, new: f"{body}+{len(new)}", ended_at=START
    )
    one.update_message_log(REF, change)
    assert crm.sent == {"t": "old+2", "last": "text 1", "n": "1"}


def test_a_shared_conversation_is_written_whole_without_reading(adapter, crm):
    crm.will_answer({"id": 3})
    one = adapter(
        threads(
            t="{{composedLogDetails}}", s="{{sharedSMSLogContent.body}}", owner="{{ownerName}}", to="{{assigneeName}}"
        )
    )
    change = MessageLogChange(contact=PIA, body="whole", is_shared=True, ended_at=START)
    one.update_message_log(REF, change)
    assert (crm.sent, len(crm.requests)) == ({"t": "whole", "s": "whole"}, 1)
    entry = MessageLogEntry(
        conversation_log_id="c",
        contact=PIA,
        body="b",
        subject="S",
        is_shared=True,
        started_at=START,
        ended_at=START,
        wire={"logInfo": {"owner": {"name": "Desk"}, "assignee": {"name": "Ida"}}},
    )
    assert one.create_message_log(entry).log_id == 3
    assert crm.sent == {"t": "b", "s": "b", "owner": "Desk", "to": "Ida"}


def test_an_unreadable_conversation_is_not_overwritten(adapter, crm):
    crm.will_answer({"body": "elsewhere"})
    with pytest.raises(CrmUnavailable):
        adapter(threads(t="{{composedLogDetails}}")).update_message_log(
            REF, MessageLogChange(contact=PIA, messages=messages(1), append=lambda body, new: "new", ended_at=START)
        )
    assert len(crm.requests) == 1


def test_a_log_that_was_deleted_is_gone(adapter, crm):
    crm.replies = [(404, {"message": "no"}, {})]
    with pytest.raises(RecordNotFound):
        adapter(edits()).get_call_log(REF)


def test_users_and_licence_are_read(adapter, crm):
    crm.will_answer(
        {"staff": [{"id": 1, "name": "A", "email": None}, {"id": "2", "name": "B", "email": "b@x.example"}]}
    )
    users = adapter({"getUserList": {"url": "/staff", "responseMapping": {"listPath": "body.staff"}}}).list_users()
    assert [(user.id, user.name, user.email) for user in users] == [(1, "A", ""), ("2", "B", "b@x.example")]
    crm.replies = [(200, {"staff": [{"id": None}, {"id": 3, "name": {}, "email": []}, {"name": "C"}]}, {})]
    users = adapter({"getUserList": {"url": "/staff", "responseMapping": {"listPath": "body.staff"}}}).list_users()
    assert [(user.id, user.name, user.email) for user in users] == [(3, "", "")]
    crm.replies = [(200, {"isLicenseValid": True, "licenseStatus": "Pro"}, {})]
    licence = adapter({"getLicenseStatus": {"url": "/licence/{{userId}}"}}).license_status()
    assert (licence.is_valid, licence.status, licence.description) == (True, "Pro", "")
    assert crm.last.url.endswith("/licence/41")


def test_a_licence_that_nobody_is_asked_for_is_valid(adapter, crm):
    licence = adapter({}).license_status()
    assert (licence.is_valid, licence.status, licence.description) == (True, "Basic", "")
    assert crm.requests == []


# --- reading ------------------------------------------------------------------------------------


def test_the_profile_is_read_from_wherever_the_definition_says(tmp_path, crm):
    crm.will_answer({"n": 5, "mail": "k@x.example", "firm": "F", "host": "app.grove.example", "hi": "x" * 300})
    mapping = {
        "idPath": "body.n",
        "emailPath": "body.mail",
        "accountIdPath": "body.firm",
        "hostnamePath": "body.host",
        "messagePath": "body.hi",
    }
    form = {"username": "kim", "userEmail": "kim@x.example"}
    request = {"url": "/me", "query": {"m": "{{userEmail}}", "u": "{{additionalInfo.username}}"}}
    definition = {"operations": {"getUserInfo": {**request, "responseMapping": mapping}}}
    found = adapter_for(tmp_path, definition).login(LoginForm(fields=form))
    assert parse_qs(urlsplit(crm.last.url).query) == {"m": ["kim@x.example"], "u": ["kim"]}
    one = adapter_for(tmp_path, definition, credentials=found)
    assert one.user_profile() == UserProfile(
        identity_host="api.grove.example",
        id=5,
        name="5",
        hostname="app.grove.example",
        account_id="F",
        email="k@x.example",
    )
    assert one.connected_notice().message == "x" * 200


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-05-01T02:00:00+02:00", "2026-05-01T00:00:00+00:00"),
        ("2026-05-01", "2026-05-01T00:00:00+00:00"),
        ("2026-05-01 10:11:12", "2026-05-01T10:11:12+00:00"),
        ("20260501", "2026-05-01T00:00:00+00:00"),
        ("20260501101112", "2026-05-01T10:11:12+00:00"),
        (1777593600, "2026-05-01T00:00:00+00:00"),
        ("1777593600", "2026-05-01T00:00:00+00:00"),
        (1777593600123, "2026-05-01T00:00:00.123000+00:00"),
        (1777593600123456, "2026-05-01T00:00:00.123456+00:00"),
        (1777593600123456789, "2026-05-01T00:00:00.123456+00:00"),
        (None, None),
        ("", None),
    ],
)
def test_every_notation_of_a_time_is_understood(value, expected):
    found = moment({"at": value}, "at")
    assert (found.astimezone(UTC).isoformat() if found else None) == expected


@pytest.mark.parametrize("value", ["5/1/2026", True, [], "soon", "99999999", 5, -1, float("1e300"), "20261301"])
def test_a_time_that_cannot_be_understood_names_its_place(value):
    with pytest.raises(UnexpectedResponse) as raised:
        moment({"at": value}, "at")
    assert "'at'" in raised.value.reason


def test_a_number_may_come_as_text():
    assert [number({"n": value}, "n") for value in (7, 7.6, "8", None, "")] == [7, 8, 8, None, None]
    with pytest.raises(UnexpectedResponse):
        number({"n": "eight"}, "n")


def test_a_value_that_is_missing_in_an_address_is_an_error(adapter, crm):
    touch = {"createCallLog": {"method": "POST", "url": "/people/{{contactInfo.id}}/calls", "body": {}}}
    entry = CallLogEntry(session_id="s", direction=Direction.INBOUND, contact=ContactRef(id=""), started_at=START)
    with pytest.raises(RequestRejected) as raised:
        adapter(touch).create_call_log(entry)
    assert raised.value.reason == "there is no value for 'contactInfo.id'"
    assert crm.requests == []


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [(422, "RequestRejected", "Stage …"), (403, "AccessDenied", "Stage …"), (500, "CrmUnavailable", "")],
)
def test_a_refusal_is_explained_in_the_crms_own_words(adapter, crm, status, error, reason):
    crm.replies = [(status, {"problem": {"text": "Stage\n+1 650 555 0112"}}, {})]
    one = adapter(create_call(x=1), defaults={"errorMessagePath": "body.problem.text"})
    with pytest.raises(ConnectorError) as raised:
        one.create_call_log(ENTRY)
    assert (type(raised.value).__name__, raised.value.reason, raised.value.status) == (error, reason, status)
    assert raised.value.maybe_applied == (status == 500)


def test_the_host_of_an_oauth_callback_is_a_plain_name_or_none(tmp_path, crm):
    crm.will_answer({"access_token": "a", "refresh_token": "r"})
    auth = {
        "type": "oauth",
        "token_url": "https://{hostname}/token",
        "client_id": "GROVE_ID",
        "client_secret": "GROVE_KEY",
    }
    one = adapter_for(tmp_path, definition_with({}), auth=auth, secrets={"GROVE_ID": "i", "GROVE_KEY": "k"})
    callback = OAuthCallback(code="c", redirect_uri="https://r.example/", hostname="https://EU.grove.example/page")
    assert one.exchange_code(callback).hostname == "eu.grove.example"
    assert crm.last.url == "https://eu.grove.example/token"
    for hostname in ("evil.example", "eu.grove.example@evil.example", "evil.example?.grove.example", ""):
        with pytest.raises(RequestRejected):
            one.exchange_code(OAuthCallback(code="c", redirect_uri="", hostname=hostname))
    assert len(crm.requests) == 1
