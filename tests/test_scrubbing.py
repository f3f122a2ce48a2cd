"""Marked secrets, numbers, names and notes go through every endpoint and every failure, and none comes out.

Looked at: every log line as it is printed, every audit event, every error reply, Django's report of an exception.
"""

from __future__ import annotations

import base64
import itertools
import json
import logging
import re
import time
import uuid
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest
import requests
import responses
from celery import Celery
from celery.app.trace import build_tracer
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone
from django.views.debug import ExceptionReporter
from structlog.stdlib import ProcessorFormatter

from adapters.contract import Credentials
from audit.models import AuditEvent, CallLog, LogState
from config import logs
from config.logs import scrub
from connectors.api.authentication import issue_token
from tests.factories import CrmUserFactory

CRM = "http://127.0.0.1:8070"
SECRETS = {
    "access token": "aCCessMark-7f3a",
    "refresh token": "rEFreshMark-7f3b",
    "API key": "aPIkeyMark-7f3c",
    "RingCentral token": "rCTokenMark-7f3d",
    "OAuth code": "cODEMark-7f3e",
    "password": "pASSwordMark-7f3f",
    "client secret": "cLIENTsecretMark-7f40",
}
PERSONAL = {
    "name": "Zyxwina Quvelmark",
    "note": "nOTEMark about the operation",
    "text message": "sMSMark see you at nine",
    "number": "6505550177",
    "number as typed": "(650) 555-0177",
    "e-mail": "zyxwina@mark.example",
}
NUMBER = "+16505550177"
EVERYTHING = {**SECRETS, **PERSONAL}
#: What an exception might hold: all of it.
ECHO = " ".join([*EVERYTHING.values(), NUMBER])

CALL = {
    "logInfo": {
        "sessionId": "sess-1",
        "direction": "Inbound",
        "startTime": "2026-05-04T16:31:07Z",
        "duration": 3,
        "from": {"phoneNumber": NUMBER, "name": PERSONAL["name"]},
        "recording": {"link": f"https://media.ringcentral.com/x?accessToken={SECRETS['RingCentral token']}"},
    },
    "contactId": "c1",
    "contactName": PERSONAL["name"],
    "note": PERSONAL["note"],
    "aiNote": PERSONAL["note"],
    "rcAccessToken": SECRETS["RingCentral token"],
}
CONVERSATION = {
    "logInfo": {
        "conversationId": "conv-1",
        "conversationLogId": "conv-1/day",
        "rcAccessToken": SECRETS["RingCentral token"],
        "correspondents": [{"phoneNumber": NUMBER, "name": PERSONAL["name"]}],
        "messages": [
            {
                "id": 1,
                "direction": "Inbound",
                "subject": PERSONAL["text message"],
                "creationTime": "2026-05-04T16:31:07Z",
                "from": {"phoneNumber": NUMBER, "name": PERSONAL["name"]},
                "attachments": [
                    {"type": "RenderedDocument", "uri": "https://media.ringcentral.com/f", "contentType": "a/b"}
                ],
            }
        ],
    },
    "contactId": "c1",
    "contactName": PERSONAL["name"],
}
LOGIN = {
    "platform": "testCRM",
    "apiKey": SECRETS["API key"],
    "hostname": "",
    "additionalInfo": {"apiKey": SECRETS["API key"], "password": SECRETS["password"], "email": PERSONAL["e-mail"]},
    "rcAccessToken": SECRETS["RingCentral token"],
}
CONTACT = {"phoneNumber": NUMBER, "newContactName": PERSONAL["name"], "newContactType": "contact"}
RC = f"rcAccessToken={SECRETS['RingCentral token']}"
REQUESTS = {
    "GET /contact": ("GET", f"/contact?phoneNumber={quote(NUMBER)}&overridingFormat=", None),
    "GET /contact, number as typed": ("GET", f"/contact?phoneNumber={quote(PERSONAL['number as typed'])}", None),
    "POST /contact": ("POST", "/contact", CONTACT),
    "search": ("GET", f"/custom/contact/search?name={quote(PERSONAL['name'])}", None),
    "GET /callLog": ("GET", "/callLog?sessionIds=logged-1&requireDetails=true", None),
    "POST /callLog": ("POST", "/callLog", CALL),
    "PATCH /callLog": (
        "PATCH", "/callLog", {"sessionId": "logged-1", "note": PERSONAL["note"], "from": {"phoneNumber": NUMBER}},
    ),
    "cacheNote": ("POST", "/callLog/cacheNote", {"sessionId": "s", "note": PERSONAL["note"]}),
    "disposition": (
        "PUT", "/callDisposition", {"sessionId": "logged-1", "dispositions": {"deals": PERSONAL["name"]}},
    ),
    "messageLog": ("POST", "/messageLog", CONVERSATION),
    "apiKeyLogin": ("POST", "/apiKeyLogin", LOGIN),
    "oauth-callback": (
        "GET",
        f"/oauth-callback?callbackUri=https://x.test/?code={SECRETS['OAuth code']}&state=platform=testCRM"
        f"&userEmail={PERSONAL['e-mail']}",
        None,
    ),
    "unAuthorize": ("POST", "/unAuthorize", {}),
    "authValidation": ("GET", "/authValidation", None),
    "licenseStatus": ("GET", "/licenseStatus", None),
    "refreshInfo": ("POST", "/user/refreshInfo", {}),
    "GET user settings": ("GET", f"/user/settings?{RC}", None),
    "POST user settings": (
        "POST", "/user/settings", {"userSettings": {"greeting": {"value": PERSONAL["note"]}}, "settingKeysToRemove": 1},
    ),
    "preloadSettings": ("GET", f"/user/preloadSettings?{RC}", None),
    "GET admin settings": ("GET", f"/admin/settings?{RC}", None),
    "POST admin settings": ("POST", f"/admin/settings?{RC}", {"adminSettings": {"userSettings": PERSONAL["note"]}}),
    "GET server logging": ("GET", "/admin/serverLoggingSettings", None),
    "POST server logging": (
        "POST", "/admin/serverLoggingSettings", {"additionalFieldValues": {"password": SECRETS["password"]}},
    ),
    "accountData": ("GET", "/accountData?keys=activityTypes", None),
    "hostname": ("GET", "/hostname", None),
    "userInfoHash": ("GET", f"/userInfoHash?extensionId={quote(PERSONAL['name'])}&accountId=2", None),
    "uninstall hook": ("DELETE", "/pipedrive-redirect", {"user_id": PERSONAL["name"]}),
    "install page": ("GET", f"/pipedrive-redirect?code={SECRETS['OAuth code']}", None),
    "admin sign-in": ("POST", "/admin/login/", None),
    "unknown path": ("GET", f"/unknown?{RC}", None),
}  # fmt: skip


@pytest.fixture
def lines():
    """Every log record as it is printed in production, from INFO upwards."""
    printed = []
    formatter = next(h.formatter for h in logging.getLogger().handlers if isinstance(h.formatter, ProcessorFormatter))

    class Printer(logging.Handler):
        def emit(self, record):
            printed.append(formatter.format(record))

    printer = Printer(level=logging.INFO)
    logging.getLogger().addHandler(printer)
    yield printed
    logging.getLogger().removeHandler(printer)


@pytest.fixture
def send(settings, lines):
    """Sends one of the requests as a connected user; the reply, and everything that was written because of it."""
    settings.ADAPTER_VARIABLES = {
        "TEST_CRM_URL": CRM, "TEST_CRM_CLIENT_ID": "id", "TEST_CRM_CLIENT_SECRET": SECRETS["client secret"],
        "PIPEDRIVE_CLIENT_ID": "id", "PIPEDRIVE_CLIENT_SECRET": SECRETS["client secret"],
    }  # fmt: skip
    credentials = Credentials(
        access_token=SECRETS["access token"],
        refresh_token=SECRETS["refresh token"],
        expires_at=timezone.now() + timedelta(hours=1),
    )
    user = CrmUserFactory(
        credentials=credentials, name=PERSONAL["name"], email=PERSONAL["e-mail"], crm_account_id="acme"
    )
    CallLog.objects.create(
        platform=user.platform, owner=user.owner, user=user, session_id="logged-1", crm_log_id="call-1",
        state=LogState.LOGGED,
    )  # fmt: skip
    token = issue_token(user)

    def go(name, body=None, token=token):
        method, target, usual = REQUESTS[name]
        body = usual if body is None else body
        if not target.startswith("/admin/login"):  # a page, which repeats its own address
            target += f"{'&' if '?' in target else '?'}jwtToken={token}"
        reply = Client(raise_request_exception=False).generic(
            method,
            target,
            body if isinstance(body, str) else json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers={"X-RC-Access-Token": SECRETS["RingCentral token"], "Cookie": f"session={SECRETS['password']}"},
        )
        return reply

    go.token = token
    return go


#: Sentences that name the number asked for: the extension shows them to the person who asked.
def _names_what_was_asked(reply):
    text = reply.content.decode()
    return "could not be found in your" in text or "Contact not found" in text or "No contact found with name" in text


def _leaks(reply, lines, token):
    written = "\n".join(lines)
    for event in AuditEvent.objects.all():
        written += json.dumps({key: str(value) for key, value in event.__dict__.items() if key != "_state"})
    marks = {**EVERYTHING, "app token": token}
    found = [f"log or audit: {name}" for name, mark in marks.items() if mark in written or quote(mark) in written]
    text = reply.content.decode()
    is_error = reply.status_code >= 400 or (text.startswith("{") and json.loads(text).get("successful") is False)
    found += [f"reply: {name}" for name, mark in SECRETS.items() if mark in text]
    if is_error and not _names_what_was_asked(reply):
        found += [f"error reply: {name}" for name, mark in PERSONAL.items() if mark in text]
    return found


def _echo(request):
    """All that the vendor was sent, credentials included."""
    header = request.headers.get("Authorization", "")
    scheme, _, value = header.partition(" ")
    sent = [header, base64.b64decode(value).decode() if scheme == "Basic" else ""]
    sent += [text for values in parse_qs(urlsplit(request.url).query).values() for text in values]
    body = request.body.decode() if isinstance(request.body, bytes) else request.body or ""
    return " ".join(sent + re.findall(r'": "(.*?)"', body) + [unquote(body)])


def _answer(status, shape):
    def answer(request):
        return status, {"Content-Type": "application/json"}, shape(_echo(request))

    return answer


def _refusal(text):
    return json.dumps({"error": text, "message": text, "errors": [{"detail": text}]})


def _no_connection(request):
    raise requests.ConnectionError(ECHO)


def _timeout(request):
    raise requests.ReadTimeout(ECHO)


ANSWERS = {
    "success of another shape": _answer(200, lambda text: json.dumps({"error": text, "data": 7})),
    "success that is no JSON": _answer(200, lambda text: f"<html>{text}"),
    "redirect": lambda request: (302, {"Location": f"https://evil.example/?t={ECHO}"}, ""),
    "no connection": _no_connection,
    "timeout": _timeout,
    **{str(status): _answer(status, _refusal) for status in (400, 401, 403, 404, 409, 422, 429, 500, 503)},
}


class _Undo(Exception):
    pass


@contextmanager
def undone(lines):
    """A case of its own: no rows and no lines are left of it."""
    try:
        with transaction.atomic():
            yield
            lines.clear()
            raise _Undo
    except _Undo:
        pass


@contextmanager
def crm_answers(answer):
    with responses.RequestsMock(assert_all_requests_are_fired=False) as crm:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            crm.add_callback(method, re.compile(".*"), answer)
        yield crm


@pytest.mark.django_db
@pytest.mark.parametrize("name", REQUESTS)
def test_nothing_marked_comes_out_whatever_the_crm_answers(send, lines, name):
    for answer, given in ANSWERS.items():
        with undone(lines), crm_answers(given):
            reply = send(name)
            assert _leaks(reply, lines, send.token) == [], answer


RAISED = {
    "a programming error": lambda: RuntimeError(ECHO),
    "a value that could not be read": lambda: ValueError(f"invalid literal for int(): {ECHO!r}"),
    "a database error": lambda: DatabaseError(f"Key (note)=({ECHO}) already exists."),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", REQUESTS)
def test_nothing_marked_comes_out_of_an_error_nobody_foresaw(send, lines, monkeypatch, name):
    for raised, make in RAISED.items():

        def broken(make=make, **options):
            try:
                raise KeyError(ECHO)
            except KeyError as cause:
                raise make() from cause

        for module in ("services.crm_access", "services.sessions", "api.vendor_routes"):
            monkeypatch.setattr(f"connectors.{module}.build_adapter", broken)
        with undone(lines), crm_answers(ANSWERS["503"]):
            reply = send(name)
            assert _leaks(reply, lines, send.token) == [], raised
            if reply.status_code == 500:
                assert reply.content.startswith(b"Something went wrong at the server.")
                assert any(type(make()).__name__ in line for line in lines)


BODIES = [
    ECHO,
    json.dumps(ECHO),
    json.dumps([ECHO]),
    json.dumps({key: {ECHO: ECHO} for key in ("logInfo", "platform", "sessionId", "note", "phoneNumber", "apiKey")}),
    json.dumps({**CALL, "logInfo": {**CALL["logInfo"], "direction": ECHO, "startTime": ECHO, "duration": ECHO}}),
    json.dumps({ECHO: 1}),
    '{"note": "' + ECHO,
]


@pytest.mark.django_db
@pytest.mark.parametrize("name", [name for name, (_, _, body) in REQUESTS.items() if body is not None])
def test_nothing_marked_comes_out_of_bad_input(send, lines, name):
    for body in BODIES:
        with undone(lines), crm_answers(ANSWERS["503"]):
            reply = send(name, body)
            assert _leaks(reply, lines, send.token) == [], body[:60]


@pytest.mark.django_db
@pytest.mark.parametrize("name", REQUESTS)
def test_a_wrong_token_is_not_repeated(send, lines, name):
    wrong = f"eyJhbGciOiJIUzI1NiJ9.{SECRETS['password']}.x"
    with crm_answers(ANSWERS["503"]):
        reply = send(name, token=wrong)
    assert _leaks(reply, lines, wrong) == []


@pytest.mark.django_db
def test_djangos_own_report_of_an_exception_shows_types_and_lines_only(rf):
    request = rf.post(f"/callLog?jwtToken={SECRETS['password']}", CALL, content_type="application/json")
    note = PERSONAL["note"]
    try:
        raise ValueError(note)
    except ValueError as error:
        report = ExceptionReporter.__subclasses__()[0](request, type(error), error, error.__traceback__)
    for text in (report.get_traceback_text(), report.get_traceback_html()):
        assert "ValueError" in text
        assert "test_scrubbing.py" in text
        assert not [mark for mark in EVERYTHING.values() if mark in text]


@pytest.mark.parametrize("piece", ["/", "/a", "http://", "+1", "?", "/?", "bearer ", "eyJ.", "code="])
def test_a_long_line_made_up_by_a_stranger_takes_no_time_to_scrub(piece):
    """What costs the square of its length keeps a whole process busy; a refused form's Origin or path is logged."""
    before = time.process_time()
    scrub(piece * (60_000 // len(piece)))
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    ("line", "scrubbed"),
    [
        ("GET /contact?phoneNumber=1 HTTP/1.1", "GET /contact?[removed] HTTP/1.1"),
        ("see http://a.test/x/y?name=Zyxwina&b=/c?d (or not)", "see http://a.test/x/y?[removed] (or not)"),
        ("in \"/a?b\" and '//c?d'", "in \"/a?[removed]\" and '//c?[removed]'"),
        ("why?url=/a?b", "why?url=/a?[removed]"),
        ("and/or? what? a//b", "and/or? what? a//b"),
    ],
)
def test_the_query_of_every_address_in_a_line_is_removed_and_no_sentence_is_cut(line, scrubbed):
    assert scrub(line) == scrubbed


_PIECES = ["code", "=", "%3D", "Bearer", "bASIC", "userkeyauth", " ", "eyJ", "a.b.c", "+1 650 555 0177", "/", "?", "x"]


def test_the_short_look_at_a_text_lets_nothing_through_that_the_long_one_would_remove(monkeypatch):
    texts = ["".join(pieces) for length in (1, 2, 3) for pieces in itertools.product(_PIECES, repeat=length)]
    short = [scrub(text) for text in texts]
    monkeypatch.setattr(logs, "_TO_LOOK_AT", re.compile(""))
    assert short == [scrub(text) for text in texts]
    assert any(text != scrub(text) for text in texts)


def test_a_line_with_what_json_holds_only_by_half_is_printed_all_the_same(lines):
    logging.getLogger("switchboard.test").warning("odd", extra={"number": 2**70, "text": "cut \ud83d"})
    assert [json.loads(line)["number"] for line in lines] == [2**70]


@pytest.mark.parametrize("make", RAISED.values(), ids=RAISED)
def test_nothing_marked_comes_out_of_a_task_that_fails_on_celery(lines, make):
    app = Celery("scrubbing", set_as_current=False)

    name = f"scrubbing.fails.{uuid.uuid4().hex}"  # a name that another test used is a warning, whenever it is seen

    @app.task(name=name)
    def fails(note):
        raise make()

    request = {"id": "task-1", "args": (ECHO,), "kwargs": {}, "is_eager": False}
    build_tracer(name, fails, app=app)("task-1", (ECHO,), {}, request)
    (line,) = (line for line in lines if "celery.app.trace" in line)
    assert f"Task {name}[task-1] raised unexpected" in line
    assert type(make()).__name__ in line
    assert not [mark for mark in EVERYTHING.values() if mark in line]


@pytest.mark.django_db
def test_the_failures_above_are_seen_by_support_all_the_same(send, lines):
    with crm_answers(ANSWERS["500"]):
        send("PATCH /callLog")
    event = AuditEvent.objects.get(action="call_log.update")
    assert (event.outcome, event.error) == ("failure", "CrmUnavailable")
    assert any("switchboard.outbound" in line and '"status":500' in line for line in lines)
