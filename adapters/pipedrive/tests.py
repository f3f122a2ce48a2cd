"""What a fixture cannot say about Pipedrive: the install page, uncertain scopes, and the activity types' cache."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from adapters.contract import (
    AccessDenied,
    AccountCache,
    AdapterContext,
    CallLogChange,
    CallLogEntry,
    ConnectorError,
    ContactDraft,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmUnavailable,
    Direction,
    LoggedCall,
    LogRef,
    Manifest,
    Message,
    MessageKind,
    MessageLogChange,
    OAuthApp,
    Options,
    RecordNotFound,
    Reply,
    RequestRejected,
    RouteRequest,
    UnexpectedResponse,
    UserProfile,
    parse_phone,
)
from adapters.pipedrive import activities
from adapters.pipedrive.adapter import Adapter

MANIFEST = Manifest.parse(Path(__file__).with_name("manifest.json").read_text(encoding="utf-8"))
PHONE = parse_phone("+16505550112")
LOGIN = Credentials(access_token="access-1")
CALL_TYPES = [{"const": "call", "title": "Call"}]


class FakeHttp:
    """Answers by method and path; remembers what was asked. Answers that are errors are raised."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []

    def explained_by(self, explain: Any, is_own: Any) -> FakeHttp:
        return self

    def paced(self, pace: Any, *, share: str) -> FakeHttp:
        return self

    def get(self, url: str, *, params: Any = None) -> Any:
        return self._answer(f"GET {url}", dict(params or {}))

    def post(self, url: str, *, json: Any) -> Any:
        return self._answer(f"POST {url}", json)

    def patch(self, url: str, *, json: Any) -> Any:
        return self._answer(f"PATCH {url}", json)

    def _answer(self, request: str, content: Any) -> Any:
        self.asked.append((request, content))
        answer = self.answers[request]
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    @property
    def requests(self) -> list[str]:
        return sorted(request for request, _ in self.asked)


class Cache(AccountCache):
    """An account cache whose entries are fresh or stale."""

    def __init__(self, fresh: Mapping[str, Any] = MappingProxyType({}), stale: Mapping[str, Any] | None = None) -> None:
        self.fresh = dict(fresh)
        self.stale = dict(stale or {})

    def get(self, key: str, *, max_age: timedelta) -> Any:
        return self.fresh.get(key)

    def get_stale(self, key: str) -> Any:
        return self.fresh.get(key, self.stale.get(key))

    def put(self, key: str, value: Any) -> None:
        self.fresh[key] = value

    def forget(self, key: str) -> None:
        self.fresh.pop(key, None)
        self.stale.pop(key, None)


def adapter(
    answers: Mapping[str, Any],
    *,
    cache: Cache | None = None,
    secrets: Any = None,
    credentials: Credentials = LOGIN,
) -> Adapter:
    context = AdapterContext(
        manifest=MANIFEST,
        user=UserProfile(id=7001, name="Robin Vale", hostname="northwind-demo.pipedrive.com"),
        credentials=credentials,
        options=Options(),
        secrets=secrets or {},
        cache=cache or Cache(),
    )
    return Adapter(http=FakeHttp(answers), context=context)  # type: ignore[arg-type]


def found(*people: int, related: Any = None) -> dict[str, Any]:
    items = [{"item": {"id": person, "name": "Dana Fox", "phones": ["+16505550112"]}} for person in people]
    return {"success": True, "data": {"items": items, **({} if related is None else {"related_items": related})}}


def entry(**given: Any) -> CallLogEntry:
    return CallLogEntry(
        **{
            "session_id": "s-1",
            "direction": Direction.INBOUND,
            "contact": ContactRef(id="501"),
            "started_at": datetime(2026, 1, 14, 9, tzinfo=UTC),
            **given,
        }
    )


# --- look-up where the granted scopes are not known ---------------------------------------------


def test_with_unknown_scopes_both_searches_go_out_together_and_the_richer_answer_is_used():
    cache = Cache()
    lead = {"item": {"id": "lead-1", "type": "lead", "title": "Mast", "person": {"id": 501}}}
    subject = adapter(
        {
            "GET /api/v2/itemSearch": found(501, related=[lead]),
            "GET /api/v2/persons/search": found(501),
            "GET /api/v2/persons": {"data": []},
        },
        cache=cache,
    )
    [contact] = subject.find_contacts(PHONE).contacts
    assert [choice.title for choice in contact.additional_info["leads"]] == ["Mast"]
    assert cache.fresh == {"itemSearch": True}


def test_a_refused_item_search_is_remembered_and_the_persons_search_serves():
    cache = Cache()
    answers = {
        "GET /api/v2/itemSearch": AccessDenied(),
        "GET /api/v2/persons/search": found(501),
        "GET /api/v2/persons": {"data": []},
        "GET /api/v2/deals": {"data": [{"id": 9, "title": "Sloop"}]},
        "GET /v1/leads": {"data": None},
    }
    subject = adapter(answers, cache=cache)
    [contact] = subject.find_contacts(PHONE).contacts
    assert [choice.const for choice in contact.additional_info["deals"]] == [9]
    assert cache.fresh == {"itemSearch": False}
    again = adapter(answers, cache=cache)
    again.find_contacts(PHONE)
    assert "GET /api/v2/itemSearch" not in again.http.requests  # type: ignore[attr-defined]


def test_an_outage_of_the_item_search_is_not_taken_for_a_missing_scope():
    cache = Cache()
    subject = adapter(
        {"GET /api/v2/itemSearch": CrmUnavailable(), "GET /api/v2/persons/search": found(501)}, cache=cache
    )
    with pytest.raises(CrmUnavailable):
        subject.find_contacts(PHONE)
    assert cache.fresh == {}


def scope_mismatch() -> AccessDenied:
    body = {"success": False, "error": "Scope and URL mismatch"}
    error = adapter({}).explain(Reply(status=403, headers={}, body=body, is_json=True))
    assert isinstance(error, AccessDenied)
    return error


def test_a_scope_that_was_granted_and_is_refused_all_the_same_costs_one_more_round_once():
    cache = Cache()
    answers = {
        "GET /api/v2/itemSearch": scope_mismatch(),
        "GET /api/v2/persons/search": found(501),
        "GET /api/v2/persons": {"data": []},
        "GET /api/v2/deals": {"data": []},
        "GET /v1/leads": {"data": None},
    }
    granted = Credentials(access_token="access-1", extra={"token_reply": {"scope": "base,search:read"}})
    for searches in (["itemSearch", "persons/search"], ["persons/search"]):
        subject = adapter(answers, cache=cache, credentials=granted)
        assert [contact.id for contact in subject.find_contacts(PHONE).contacts] == [501]
        asked = [request for request, _ in subject.http.asked if "earch" in request]  # type: ignore[attr-defined]
        assert asked == [f"GET /api/v2/{path}" for path in searches]


def test_a_search_whose_pages_do_not_end_is_left_after_five_of_them():
    page = found(501, related=[]) | {"additional_data": {"next_cursor": "again"}}
    subject = adapter(
        {"GET /api/v2/itemSearch": page, "GET /api/v2/persons": {"data": []}}, cache=Cache({"itemSearch": True})
    )
    assert [contact.id for contact in subject.find_contacts(PHONE).contacts] == [501]
    assert subject.http.requests.count("GET /api/v2/itemSearch") == 5  # type: ignore[attr-defined]


def test_a_refusal_for_want_of_a_permission_is_not_taken_for_a_missing_scope():
    granted = Credentials(access_token="access-1", extra={"token_reply": {"scope": "search:read"}})
    subject = adapter({"GET /api/v2/itemSearch": AccessDenied(status=403)}, credentials=granted)
    with pytest.raises(AccessDenied):
        subject.find_contacts(PHONE)


def test_a_number_that_is_none_is_searched_for_and_stored_as_it_came():
    odd = parse_phone("+1 555")
    subject = adapter(
        {
            "GET /api/v2/itemSearch": found(related=[]),
            "GET /api/v2/persons": {"data": []},
            "POST /api/v2/persons": {"data": {"id": 777, "name": "Ada Park"}},
        },
        cache=Cache({"itemSearch": True}),
    )
    assert subject.find_contacts(odd).contacts == ()
    assert subject.create_contact(ContactDraft(name="Ada Park", phone=odd)).phone == "+1 555"
    (_, search), (_, person) = subject.http.asked  # type: ignore[attr-defined]
    assert search["term"] == "+1 555"
    assert person["phones"] == [{"value": "+1 555", "primary": True, "label": "work"}]


# --- a person just created ------------------------------------------------------------------------


def test_a_person_just_created_is_found_before_the_search_knows_them():
    row = {"id": 777, "name": "Ada Park", "phones": [{"value": "(650) 555-0112"}]}
    subject = adapter(
        {
            "POST /api/v2/persons": {"data": {"id": 777, "name": "Ada Park"}},
            "GET /api/v2/itemSearch": found(501, related=[]),
            "GET /api/v2/persons": {"data": [row]},
        },
        cache=Cache({"itemSearch": True}),
    )
    subject.create_contact(ContactDraft(name="Ada Park", phone=PHONE))
    contacts = subject.find_contacts(PHONE).contacts
    assert [(contact.id, contact.name) for contact in contacts] == [(501, "Dana Fox"), (777, "Ada Park")]
    assert subject.http.asked[-1] == ("GET /api/v2/persons", {"ids": "501,777", "limit": 100})  # type: ignore[attr-defined]
    subject.http.answers["GET /api/v2/itemSearch"] = found(501, 777, related=[])  # type: ignore[attr-defined]
    assert [contact.id for contact in subject.find_contacts(PHONE).contacts] == [501, 777]
    subject.http.answers["GET /api/v2/itemSearch"] = found(501, related=[])  # type: ignore[attr-defined]
    row["phones"] = [{"value": "+16505550199"}]  # edited in Pipedrive meanwhile
    assert [contact.id for contact in subject.find_contacts(PHONE).contacts] == [501]


# --- activity types -----------------------------------------------------------------------------


def test_an_old_list_of_types_serves_while_the_new_one_cannot_be_read():
    subject = adapter(
        {
            "GET /api/v2/persons/501": {"data": {"id": 501}},
            "GET /v1/activityTypes": CrmUnavailable(),
            "POST /api/v2/activities": {"data": {"id": 7700}},
        },
        cache=Cache(stale={"activityTypes": CALL_TYPES}),
    )
    assert subject.create_call_log(entry()).log_id == 7700
    assert adapter({"GET /v1/activityTypes": CrmUnavailable()}, cache=subject.cache).account_data("activityTypes") == (
        CALL_TYPES
    )


def test_a_refused_login_is_not_hidden_by_an_old_list_of_types():
    subject = adapter(
        {"GET /v1/activityTypes": CredentialsRejected()}, cache=Cache(stale={"activityTypes": CALL_TYPES})
    )
    with pytest.raises(CredentialsRejected):
        subject.account_data("activityTypes")


def test_known_types_cost_one_read_before_the_write():
    subject = adapter(
        {
            "GET /api/v2/persons/501": {"data": {"id": 501, "org_id": 31}},
            "POST /api/v2/activities": {"data": {"id": 7700}},
        },
        cache=Cache({"activityTypes": CALL_TYPES}),
    )
    subject.create_call_log(entry())
    assert subject.http.requests == ["GET /api/v2/persons/501", "POST /api/v2/activities"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("wrong", ["", "x501", "501/../1", "\u0665\u0660\u0661"])
def test_an_id_that_is_not_pipedrives_goes_into_no_request(wrong: str):
    subject = adapter({}, cache=Cache({"activityTypes": CALL_TYPES}))
    with pytest.raises(RequestRejected, match="not a Pipedrive record"):
        subject.create_call_log(entry(contact=ContactRef(id=wrong)))
    with pytest.raises(RequestRejected):
        subject.get_call_log(LogRef(log_id=wrong))
    assert subject.http.asked == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("due", [{"due_date": None}, {"due_time": None}, {"due_time": "noon"}])
def test_an_activity_without_a_time_is_read_all_the_same(due: dict[str, Any]):
    row = {"id": 7700, "subject": "Call", "note": "x", "due_date": "2026-01-14", "due_time": "09:00:00", **due}
    subject = adapter({"GET /api/v2/activities/7700": {"data": row}})
    assert subject.get_call_log(LogRef(log_id="7700")) == LoggedCall(
        subject="Call", body="x", dispositions={"deals": None, "leads": None}, raw=row
    )


def test_an_unknown_duration_leaves_the_one_in_pipedrive_alone():
    subject = adapter({})
    current = LoggedCall(duration=240)
    change = CallLogChange(duration=0, current=current)
    assert subject.update_call_log(LogRef(log_id="7700"), change).log_id == 7700
    assert subject.http.asked == []  # type: ignore[attr-defined]


# --- finding a log again --------------------------------------------------------------------------


def written(**changes: Any) -> dict[str, Any]:
    """The activity of ``entry()``, 180 seconds long, as Pipedrive lists it."""
    return {
        "id": 7700,
        "subject": "Call",
        "due_date": "2026-01-14",
        "due_time": "09:00:00",
        "duration": "00:03:00",
        "note": "<li><b>Session Id</b>: s-1</li>",
        **changes,
    }


def log_found(*rows: dict[str, Any], **marked: Any) -> Any:
    marker = replace(entry(subject="Call", duration=180).as_marker(), **marked)
    return adapter({"GET /api/v2/activities": {"data": list(rows)}}).find_call_log(marker)


@pytest.mark.parametrize("row", [{}, {"note": None}, {"note": "As edited by hand"}])
def test_a_log_is_known_by_subject_minute_and_duration(row: dict[str, Any]):
    assert log_found(written(**row)) == 7700


@pytest.mark.parametrize(
    "other",
    [
        {"subject": "Callback"},
        {"due_date": "2026-01-15"},
        {"due_time": "09:01:00"},
        {"due_time": None},
        {"duration": "00:04:00"},
        {"duration": None},
        {"note": "<li><b>Session Id</b>: s-2</li>"},
        {
            "note": '<LI><strong class="x">Session&nbsp;Id</strong>:&nbsp;s-2</LI>'.replace(
                "Session&nbsp;Id", "Session Id"
            )
        },
    ],
)
def test_an_activity_that_differs_is_not_taken_for_the_log(other: dict[str, Any]):
    assert log_found(written(**other)) is None


def test_a_log_without_its_time_is_not_looked_for():
    assert log_found(written(), started_at=None) is None


def test_of_logs_that_look_alike_the_newest_is_taken_that_is_not_known_as_anothers():
    rows = [written(), written(id=7702), written(id=7701)]
    assert log_found(*rows) == 7702
    assert log_found(*rows, is_anothers=lambda log_id: log_id == 7702) == 7701
    assert log_found(*rows, is_anothers=lambda log_id: True) is None


# --- durations, links -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00"), (1, "00:01"), (300, "00:05"), (301, "00:06"), (3540, "00:59"), (3599, "01:00")]
)
def test_begun_minutes_are_counted_and_carried(seconds: int, text: str):
    assert activities.duration(seconds) == text


# --- messages ---------------------------------------------------------------------------------------


def test_all_new_messages_of_a_day_take_one_read_and_one_write():
    messages = tuple(
        Message(
            id=f"m-{index}",
            kind=MessageKind.SMS,
            direction=Direction.INBOUND,
            sent_at=datetime(2026, 1, 14, 9, index, tzinfo=UTC),
            text=f"text {index}",
        )
        for index in range(5)
    )
    subject = adapter(
        {
            "GET /api/v2/activities/7800": {"data": {"id": 7800, "note": "before;"}},
            "PATCH /api/v2/activities/7800": {"data": {"id": 7800}},
        }
    )
    change = MessageLogChange(
        contact=ContactRef(id="501"),
        messages=messages,
        append=lambda body, new: body + ";".join(message.text for message in new),
        ended_at=messages[-1].sent_at,
        submission={"deals": 9001},
    )
    subject.update_message_log(LogRef(log_id="7800"), change)
    assert subject.http.asked == [  # type: ignore[attr-defined]
        ("GET /api/v2/activities/7800", {}),
        (
            "PATCH /api/v2/activities/7800",
            {"note": "before;text 0;text 1;text 2;text 3;text 4", "deal_id": 9001, "lead_id": None},
        ),
    ]


def _change_for_one_more(stored: dict[str, Any], kind: MessageKind, submission: dict[str, Any]) -> dict[str, Any]:
    """What is sent to change the day's activity when one message follows."""
    message = Message(id="m-1", kind=kind, direction=Direction.INBOUND, sent_at=datetime(2026, 1, 14, tzinfo=UTC))
    subject = adapter(
        {
            "GET /api/v2/activities/7800": {"data": {"id": 7800, **stored}},
            "PATCH /api/v2/activities/7800": {"data": {"id": 7800}},
        }
    )
    change = MessageLogChange(
        contact=ContactRef(id="501"),
        messages=(message,),
        append=lambda body, new: f"[{body}]new",
        ended_at=message.sent_at,
        submission=submission,
    )
    subject.update_message_log(LogRef(log_id="7800"), change)
    target, sent = subject.http.asked[-1]  # type: ignore[attr-defined]
    assert target == "PATCH /api/v2/activities/7800"
    return sent  # type: ignore[no-any-return]


@pytest.mark.parametrize("nothing", [{}, {"deals": "none", "leads": "none"}, {"deals": "", "leads": None}])
def test_further_messages_leave_the_deal_of_their_day_unless_another_is_chosen(nothing: dict[str, Any]):
    stored = {"note": "day", "deal_id": 9001}
    assert _change_for_one_more(stored, MessageKind.SMS, nothing) == {"note": "[day]new"}


def test_a_note_cleared_in_pipedrive_is_extended_from_nothing():
    assert _change_for_one_more({"note": None}, MessageKind.FAX, {}) == {"note": "[]new"}


# --- the batch read ----------------------------------------------------------------------------------


def test_in_a_batch_a_deleted_log_is_an_error_in_its_own_place():
    subject = adapter(
        {
            "GET /api/v2/activities": {"data": [{"id": 2, "subject": "Second", "note": None, "person_id": 501}]},
            "GET /api/v2/persons": {"data": [{"id": 501, "name": "Dana Fox"}]},
        }
    )
    first, second = subject.get_call_logs([LogRef(log_id="1"), LogRef(log_id="2", contact=ContactRef(id="501"))])
    assert isinstance(first, ConnectorError)
    assert not isinstance(second, ConnectorError)
    assert (second.subject, second.contact_name) == ("Second", "Dana Fox")
    assert len(subject.http.requests) == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("logs", "persons", "expected"),
    [
        (CrmUnavailable(), {"data": []}, [CrmUnavailable] * 2),
        ({"data": [{"id": 1, "note": None}]}, CredentialsRejected(), [CredentialsRejected] * 2),
        ({"data": [{"id": 1, "note": None}]}, CrmUnavailable(), [LoggedCall, RecordNotFound]),
    ],
)
def test_a_batch_that_cannot_be_read_is_not_taken_for_deleted_logs(logs: Any, persons: Any, expected: Any):
    subject = adapter({"GET /api/v2/activities": logs, "GET /api/v2/persons": persons})
    refs = [LogRef(log_id=number, contact=ContactRef(id="501")) for number in ("1", "2")]
    assert [type(outcome) for outcome in subject.get_call_logs(refs)] == expected


def test_a_batch_of_one_reads_the_log_and_its_person():
    subject = adapter(
        {
            "GET /api/v2/activities/2": {"data": {"id": 2, "subject": "Second", "note": None, "person_id": 501}},
            "GET /api/v2/persons": {"data": [{"id": 501, "name": "Dana Fox"}]},
        }
    )
    [only] = subject.get_call_logs([LogRef(log_id="2", contact=ContactRef(id="501"))])
    assert not isinstance(only, ConnectorError)
    assert (only.subject, only.contact_name) == ("Second", "Dana Fox")
    assert subject.get_call_logs([]) == []


# --- where tokens may go ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hostname", ["temp", "", "evil.example", "pipedrive.com.evil.example", "a.b.pipedrive.com", "x/.pipedrive.com"]
)
def test_tokens_never_go_to_a_host_that_is_not_a_companys(hostname: str):
    context = AdapterContext(
        manifest=MANIFEST,
        user=UserProfile(id=1, name="", hostname=hostname),
        credentials=Credentials(access_token="access-1", hostname=hostname),
        options=Options(),
        secrets={},
        cache=Cache(),
    )
    assert Adapter.base_url(context) == "https://api.pipedrive.com"


# --- error texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "word"),
    [
        (402, {"success": False, "error": "Company not open"}, "subscription"),
        (403, {"success": False, "error": "Scope and URL mismatch"}, "connect again"),
        (403, {"success": False, "error": "Not allowed"}, "permission"),
        (404, {"success": False, "error": "Not found"}, "no longer exists in Pipedrive"),
        (410, {"success": False, "error": "Gone"}, "no longer exists in Pipedrive"),
    ],
)
def test_refusals_say_what_the_user_can_do(status: int, body: Any, word: str):
    error = adapter({}).explain(Reply(status=status, headers={}, body=body, is_json=True))
    assert error is not None
    assert word in f"{error.message} {error.advice}"


def test_an_endpoint_that_was_retired_is_not_taken_for_a_record_that_is_gone():
    retired = Reply(
        status=410, headers={}, body={"success": False}, is_json=True, url="https://x.pipedrive.com/v1/users"
    )
    assert isinstance(adapter({}).explain(retired), UnexpectedResponse)


def test_a_number_in_the_vendors_explanation_is_not_passed_on():
    body = {"success": False, "error": "phone 6505550112 is not valid"}
    error = adapter({}).explain(Reply(status=403, headers={}, body=body, is_json=True))
    assert error is not None
    assert "6505550112" not in error.reason


# --- the install page and the uninstall hook --------------------------------------------------------------


class _Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        values = dict(attrs)
        self.ids.append(values.get("id") or "")
        self.links.append(values.get("href") or "")


def page(query: Mapping[str, Any], client_id: str = "client-1") -> str:
    request = RouteRequest(method="GET", query=query, body={}, headers={}, server_url="https://switchboard.example")
    secrets = {**MANIFEST.server.settings, "PIPEDRIVE_CLIENT_ID": client_id, "PIPEDRIVE_CLIENT_SECRET": "secret-1"}
    reply = adapter({}, secrets=secrets).handle_route("install_page", request)
    assert reply.status == 200
    assert reply.content_type.startswith("text/html")
    return reply.body


def test_the_page_after_an_install_has_the_element_the_extension_takes_over():
    body = page({"code": "code-<1>"})
    parser = _Ids()
    parser.feed(body)
    assert "rc-stepper" in parser.ids
    assert "(1/3)" in body
    assert "code-" not in body


@pytest.mark.parametrize("query", [{}, {"error": "user_denied"}, {"code": "code-1"}])
def test_every_form_of_the_page_has_what_clients_rely_on(query: Mapping[str, Any]):
    body = page(query)
    parser = _Ids()
    parser.feed(body)
    assert "rc-content-div" in parser.ids
    assert ("rc-stepper" in parser.ids) == ("code" in query)
    assert "function handleRedirect" in body
    assert "secret-1" not in body


@pytest.mark.parametrize("query", [{}, {"error": "user_denied"}])
def test_the_page_leads_to_pipedrives_authorisation_page_for_our_own_app(query: Mapping[str, Any]):
    parser = _Ids()
    parser.feed(page(query, client_id="our&app"))
    [link] = [link for link in parser.links if link]
    address = urlsplit(link)
    assert f"{address.scheme}://{address.netloc}{address.path}" == "https://oauth.pipedrive.com/oauth/authorize"
    assert parse_qs(address.query) == {
        "client_id": ["our&app"],
        "redirect_uri": ["https://switchboard.example/pipedrive-redirect"],
        "state": ["platform=pipedrive"],
    }


def test_without_an_app_of_this_server_the_page_leads_nowhere():
    body = page({}, client_id="")
    assert "<a " not in body
    assert "tell the administrator" in body


def test_declining_says_that_nothing_was_installed():
    assert "declined" in page({"error": "user_denied"})


@pytest.mark.parametrize("secrets", [{}, {"PIPEDRIVE_CLIENT_ID": "client-1"}, {"PIPEDRIVE_CLIENT_SECRET": "secret-1"}])
def test_the_uninstall_hook_refuses_everybody_while_the_application_is_not_configured(secrets: Mapping[str, str]):
    pair = f"{secrets.get('PIPEDRIVE_CLIENT_ID', '')}:{secrets.get('PIPEDRIVE_CLIENT_SECRET', '')}"
    request = RouteRequest(
        method="DELETE",
        query={},
        body={"user_id": 7001},
        headers={"authorization": "Basic " + base64.b64encode(pair.encode()).decode()},
        server_url="https://switchboard.example",
    )
    reply = adapter({}, secrets=secrets).handle_route("uninstalled", request)
    assert (reply.status, reply.forget) == (401, ())


def test_the_login_is_at_the_page_that_pipedrive_redirects_to():
    defaults = {**MANIFEST.server.settings, "APP_SERVER": "https://switchboard.example"}
    app = MANIFEST.oauth_app(secrets=defaults, server_url=defaults["APP_SERVER"])
    assert isinstance(app, OAuthApp)
    assert app.redirect_uri == "https://switchboard.example/pipedrive-redirect"
    elsewhere = {**defaults, "PIPEDRIVE_REDIRECT_URI": "https://proxy.example/pipedrive-redirect"}
    assert MANIFEST.oauth_app(secrets=elsewhere).redirect_uri == "https://proxy.example/pipedrive-redirect"
    for variables, uri in ((defaults, app.redirect_uri), (elsewhere, elsewhere["PIPEDRIVE_REDIRECT_URI"])):
        assert MANIFEST.client_half(variables)["auth"]["oauth"]["redirectUri"] == uri
