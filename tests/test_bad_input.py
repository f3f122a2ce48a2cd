"""Bad input gets a readable 4xx, and leaves no row."""

from __future__ import annotations

import json
import logging
import re

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.stdlib import ProcessorFormatter

from adapters.contract import ServerMisconfigured
from audit.models import CallLog, ConversationLog, MessageLog
from connectors.api import urls
from connectors.api.authentication import issue_token
from connectors.models import CrmUser
from tests.factories import CrmUserFactory

CALL = {
    "logInfo": {"sessionId": "1", "direction": "Inbound", "startTime": "2026-05-04T16:31:07Z", "duration": 1},
    "contactId": 1,
}
SMS = {"id": "9" * 500, "type": "SMS", "direction": "Inbound", "subject": "x", "creationTime": "2026-05-04T16:31:07Z"}


def _changed(**members):
    return {**CALL, "logInfo": {**CALL["logInfo"], **members}}


CASES = [
    ("post", "/callLog", {}),
    ("post", "/callLog", []),
    ("post", "/callLog", "text"),
    ("post", "/callLog", {**CALL, "logInfo": None}),
    ("post", "/callLog", {**CALL, "logInfo": "x"}),
    ("post", "/callLog", {**CALL, "contactId": {"a": 1}}),
    ("post", "/callLog", _changed(startTime="yesterday")),
    ("post", "/callLog", _changed(startTime=None)),
    ("post", "/callLog", _changed(sessionId=None)),
    ("post", "/callLog", _changed(sessionId="9" * 500)),
    ("post", "/callLog", _changed(sessionId={"$ne": 1})),
    ("patch", "/callLog", {}),
    ("patch", "/callLog", {"sessionId": ["1"]}),
    ("patch", "/callLog", {"sessionId": "", "note": "x"}),
    ("put", "/callDisposition", {"sessionId": "1"}),
    ("put", "/callDisposition", {"sessionId": " ", "dispositions": {}}),
    ("post", "/messageLog", {}),
    ("post", "/messageLog", {"logInfo": {"messages": "x"}}),
    ("post", "/messageLog", {"logInfo": {"conversationLogId": "c", "messages": [{"id": 1}]}, "contactId": 1}),
    ("post", "/messageLog", {"logInfo": {"conversationLogId": "c", "messages": [SMS]}, "contactId": 1}),
    ("post", "/contact", {"phoneNumber": "+16505550199"}),
    ("post", "/contact", {"phoneNumber": "+16505550199", "newContactName": "   "}),
    ("post", "/user/settings", {"userSettings": "x"}),
    ("post", "/callLog/cacheNote", {"note": "x"}),
    ("post", "/callLog/cacheNote", {"sessionId": "", "note": "x"}),
    (
        "post",
        "/messageLog",
        {
            "logInfo": {
                "conversationLogId": "",
                "messages": [{"id": 1, "direction": "Inbound", "creationTime": 1_777_777_777_000}],
            },
            "contactId": 1,
        },
    ),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path", "body"), CASES)
def test_a_malformed_body_gets_a_readable_sentence_and_no_row(client, method, path, body):
    token = issue_token(CrmUserFactory())
    reply = getattr(client, method)(f"{path}?jwtToken={token}", json.dumps(body), content_type="application/json")
    assert reply.status_code == 400
    assert reply["Content-Type"].startswith("text/plain")
    assert reply.content.decode().startswith("Invalid request")
    assert "Traceback" not in reply.content.decode()
    assert not CallLog.objects.exists()
    assert not ConversationLog.objects.exists()
    assert not MessageLog.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("raw", [b"\xff\xfe{", b"{", b"", b'{"a": NaN}'])
def test_a_body_that_is_not_json_or_not_unicode_is_a_400(client, raw):
    token = issue_token(CrmUserFactory())
    reply = client.post(f"/callLog?jwtToken={token}", raw, content_type="application/json")
    assert reply.status_code == 400
    assert not CallLog.objects.exists()


UNREADABLE = "Invalid request: it is not valid JSON in UTF-8."
TOO_LARGE_NUMBER = "Invalid request: a number is too large."


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b'{"userSettings": {"a": {"value": "\xff"}}}', UNREADABLE),
        (b'{"userSettings": {"a": {"value": NaN}}}', UNREADABLE),
        (b'{"userSettings": {"a": {"value": ' + b"9" * 5000 + b"}}}", UNREADABLE),
        (b'{"userSettings": {"a": {"value": [1e999]}}}', TOO_LARGE_NUMBER),
        (b'{"userSettings": {"a": {"value": -1e999}}}', TOO_LARGE_NUMBER),
        (b'{"userSettings": {"a": {"value": 9223372036854775808}}}', TOO_LARGE_NUMBER),
    ],
)
def test_a_value_that_nobody_could_read_back_is_refused_before_it_is_stored(client, raw, sentence):
    user = CrmUserFactory()
    path = f"/user/settings?jwtToken={issue_token(user)}"
    reply = client.post(path, raw, content_type="application/json")
    assert (reply.status_code, reply.content.decode()) == (400, sentence)
    assert client.get(path).json() == {}


@pytest.mark.django_db
def test_a_huge_number_is_a_400_wherever_it_stands(client):
    body = json.dumps({**CALL, "contactId": 10**30})
    reply = client.post(f"/callLog?jwtToken={issue_token(CrmUserFactory())}", body, content_type="application/json")
    assert (reply.status_code, reply.content.decode()) == (400, TOO_LARGE_NUMBER)


@pytest.mark.django_db
def test_a_text_that_was_cut_within_an_emoji_is_kept_with_a_mark_in_its_place(client):
    path = f"/user/settings?jwtToken={issue_token(CrmUserFactory())}"
    raw = rb'{"userSettings": {"a\ud83d": {"value": ["cut \ud83d", "whole \ud83d\ude00"]}}}'
    assert client.post(path, raw, content_type="application/json").status_code == 200
    assert client.get(path).json()["a\ufffd"]["value"] == ["cut \ufffd", "whole \U0001f600"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/callLog", {**CALL, "contactId": "\ud800"}),
        ("/callLog", {**CALL, "additionalSubmission": {"adminAssignedUserToken": "\ud800"}}),
        ("/messageLog", {"logInfo": {"conversationLogId": "c"}, "contactId": "\ud800"}),
        ("/apiKeyLogin", {"platform": "testCRM", "additionalInfo": {"apiKey": "\ud800"}}),
    ],
)
def test_half_a_character_is_no_server_error_anywhere(client, path, body):
    token = issue_token(CrmUserFactory())
    reply = client.post(f"{path}?jwtToken={token}", json.dumps(body), content_type="application/json")
    assert reply.status_code < 500
    assert b"\\ud800" not in reply.content


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "Invalid request: Invalid data. Expected a dictionary, but got list."),
        (None, "Invalid request: No data provided"),
        (
            _changed(startTime="x"),
            "Invalid request: logInfo.startTime: must be an ISO 8601 time or epoch milliseconds.",
        ),
    ],
)
def test_a_sentence_names_the_place_as_the_client_spells_it(client, body, sentence):
    token = issue_token(CrmUserFactory())
    reply = client.post(f"/callLog?jwtToken={token}", json.dumps(body), content_type="application/json")
    assert (reply.status_code, reply.content.decode()) == (400, sentence)


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["", "&logInfo=x", "&logInfo=x&logInfo.owner.name=Q", "&logInfo.messages[0]id=1"])
def test_a_conversation_sent_as_a_form_gets_an_answer_too(client, form):
    token = issue_token(CrmUserFactory())
    reply = client.post(
        f"/messageLog?jwtToken={token}",
        f"contactId=1&logInfo.conversationLogId=c{form}",
        content_type="application/x-www-form-urlencoded",
    )
    assert reply.status_code in (200, 400)
    assert reply.content.startswith((b'{"successful":false,"logIds":[]', b"Invalid request: logInfo.messages.0."))


@pytest.mark.django_db
def test_null_characters_are_left_out_since_postgresql_takes_none(client):
    body = {"userSettings": {"a\x00b": {"value": ["x\x00y", 1, 9223372036854775807, 1.5, "café"]}}}
    path = f"/user/settings?jwtToken={issue_token(CrmUserFactory())}"
    client.post(path, json.dumps(body), content_type="application/json")
    assert client.get(path).json()["ab"]["value"] == ["xy", 1, 9223372036854775807, 1.5, "café"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "/callLog?sessionIds=1&hashedExtensionId=a%00b&jwtToken={token}",
        "/user/preloadSettings?rcAccountId=a%00b",
        "/userInfoHash?extensionId=%00",
        "/admin/connectors/crmuser/%00/change/",
    ],
)
def test_a_null_character_in_the_address_is_a_400(client, path):
    reply = client.get(path.format(token=issue_token(CrmUserFactory())))
    assert (reply.status_code, reply.content) == (400, b"Invalid request: the address holds a null character.")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "/apiKeyLogin", {"apiKey": "x"}),
        ("post", "/apiKeyLogin", {"platform": "nowhere", "apiKey": "x"}),
        ("get", "/oauth-callback", None),
        ("get", "/oauth-callback?callbackUri=rubbish", None),
        ("get", "/oauth-callback?callbackUri=https://a.example/x?code=1", None),
        ("get", "/oauth-callback?callbackUri=https://a.example/x?code=1%26state=platform=nowhere", None),
        ("get", "/crmManifest?platformName=nowhere", None),
        ("get", "/implementedInterfaces", None),
    ],
)
def test_an_unknown_platform_or_callback_is_a_readable_400(client, method, path, body):
    extra = {"data": json.dumps(body), "content_type": "application/json"} if body else {}
    reply = getattr(client, method)(path, **extra)
    assert reply.status_code == 400
    assert reply["Content-Type"].startswith("text/plain")


@pytest.mark.django_db
@pytest.mark.parametrize("by_key", [True, False])
def test_a_wrong_secret_of_this_server_is_not_blamed_on_the_user(client, monkeypatch, by_key):
    def refuse(self, form):
        raise ServerMisconfigured(reason="invalid_client")

    for name in ("login", "exchange_code"):
        monkeypatch.setattr(f"adapters.testcrm.adapter.Adapter.{name}", refuse)
    if by_key:
        reply = client.post("/apiKeyLogin", {"platform": "testCRM", "apiKey": "k"}, content_type="application/json")
        assert reply.status_code == 400
    else:
        reply = client.get("/oauth-callback?callbackUri=https://x.test/?code=c&state=platform=testCRM")
    told = reply.json()["returnMessage"]
    assert told["message"] == "This server's credentials for Test CRM are wrong; tell your administrator."
    assert [item["text"] for item in told["details"][0]["items"]] == [
        "invalid_client",
        "Your own login is not the reason.",
    ]
    assert not CrmUser.objects.exists()


NOT_SET_UP = "Clio is not set up on this server: CLIO_CLIENT_ID, CLIO_CLIENT_SECRET missing. Tell your administrator."


@pytest.mark.django_db
def test_a_platform_that_is_not_set_up_says_so_where_the_client_shows_it(client, settings):
    settings.ADAPTER_VARIABLES = {}
    callback = "https://ringcentral.github.io/ringcentral-embeddable/redirect.html?code=1&state=platform=clio"
    reply = client.get(f"/oauth-callback?callbackUri={callback}")
    assert reply.status_code == 200  # the client shows no error of a callback
    assert "jwtToken" not in reply.json()
    assert reply.json()["returnMessage"]["message"] == NOT_SET_UP
    body = json.dumps({"platform": "clio", "apiKey": "x"})
    reply = client.post("/apiKeyLogin", body, content_type="application/json")
    assert (reply.status_code, reply.content.decode()) == (400, NOT_SET_UP)  # it takes any 2xx for a login


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.django_db(transaction=True)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/callLog", "/messageLog", "/contact", "/callLog/cacheNote", "/apiKeyLogin"]),
    body=json_values,
)
def test_no_json_whatever_is_a_server_error(client, path, body):
    token = issue_token(CrmUserFactory())
    reply = client.post(f"{path}?jwtToken={token}", json.dumps(body), content_type="application/json")
    assert reply.status_code < 500


@pytest.mark.django_db
def test_an_oversized_body_is_refused_in_a_sentence(client):
    token = issue_token(CrmUserFactory())
    body = b'{"note": "' + b"x" * 6_000_000 + b'"}'
    reply = client.post(f"/callLog?jwtToken={token}", body, content_type="application/json")
    assert (reply.status_code, reply.content) == (413, b"Invalid request: it is too large.")
    assert not CallLog.objects.exists()


def test_a_log_line_holds_no_token_number_or_code_even_in_an_object(rf):
    request = rf.get("/contact?jwtToken=eyJhbGciOi.eyJpZCI6.sig&phoneNumber=+16505550199&code=oauth-code")
    handler = logging.getLogger().handlers
    formatter = next(item.formatter for item in handler if isinstance(item.formatter, ProcessorFormatter))
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed at %s", (request,), None)
    record.request = request
    line = formatter.format(record)
    assert "failed at" in line
    for secret in ("eyJhbGciOi", "16505550199", "oauth-code"):
        assert secret not in line


@pytest.mark.django_db
def test_a_text_that_is_null_counts_as_empty(client):
    token = issue_token(CrmUserFactory())
    message = {"id": 1, "direction": "Inbound", "creationTime": 1_777_777_777_000, "subject": None}
    message |= {
        "messageStatus": None,
        "attachments": [{"type": "Text", "link": None, "uri": None, "contentType": None}],
    }
    info = {"conversationLogId": "c", "conversationId": None, "rcAccessToken": None, "messages": [message]}
    for path, body, expected in [
        ("/messageLog", {"logInfo": info, "contactId": 1}, 200),
        ("/callLog/cacheNote", {"sessionId": "1", "note": None}, 200),
        ("/contact", {"phoneNumber": "+16505550199", "newContactName": "A", "newContactType": None}, 200),
        ("/contact", {"phoneNumber": None, "newContactName": "A"}, 200),
    ]:
        reply = client.post(f"{path}?jwtToken={token}", json.dumps(body), content_type="application/json")
        assert reply.status_code == expected, (path, reply.content)
    reply = client.post("/apiKeyLogin", json.dumps({"platform": None}), content_type="application/json")
    assert (reply.status_code, reply.content) == (400, b"Missing platform name")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/callLog", _changed(legs=[None])),
        ("/messageLog", {"logInfo": {"conversationLogId": "c", "messages": [None]}, "contactId": 1}),
        (
            "/messageLog",
            {
                "logInfo": {
                    "conversationLogId": "c",
                    "messages": [
                        {"id": 1, "direction": "Inbound", "creationTime": 1_777_777_777_000, "attachments": [None]}
                    ],
                },
                "contactId": 1,
            },
        ),
    ],
)
def test_a_null_in_a_list_is_left_out(client, path, body):
    token = issue_token(CrmUserFactory())
    reply = client.post(f"{path}?jwtToken={token}", json.dumps(body), content_type="application/json")
    assert reply.status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "trace", "head", "options"])
def test_no_path_fails_for_a_method_it_does_not_know(client, method):
    """A viewset's method of that name would be called for every path of the viewset."""
    token = issue_token(CrmUserFactory())
    for route in urls.urlpatterns:
        path = re.sub(r"<[^>]*>", "x", f"/{route.pattern}")
        if str(route.pattern) == "unAuthorize":
            continue
        reply = getattr(client, method)(
            f"{path}?jwtToken={token}",
            **({} if method in ("get", "head", "trace") else {"data": "{}", "content_type": "application/json"}),
        )
        assert reply.status_code < 500 or reply.status_code == 503, (method, path, reply.content)
