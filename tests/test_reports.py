"""What the reports of RingCentral tell, and who gets none: account and administrator are checked with each one."""

from __future__ import annotations

import pytest

from connectors.models import CrmUser, RingCentralLogin
from tests.factories import CrmUserFactory
from tests.ringcentral import (
    ACCOUNT,
    ADMIN,
    AGENT,
    NOT_ADMIN,
    OTHER_ACCOUNT,
    PERIOD,
    STRANGER,
    Person,
    admin,
    logged_in,
    ringcentral,
)

__all__ = ["admin", "logged_in", "ringcentral"]
pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]


# --- Every report checks again -------------------------------------------------------------------


def test_who_is_no_administrator_any_more_gets_no_report(logged_in, ringcentral):
    ringcentral.extensions[ADMIN]["is_admin"] = False
    for reply in (logged_in.company(), logged_in.of_extension(AGENT)):
        assert (reply.status_code, reply.content.decode().startswith(NOT_ADMIN)) == (403, True)
    assert not RingCentralLogin.objects.exists()


@pytest.mark.parametrize("columns", [{"rc_account_id": OTHER_ACCOUNT}, {"rc_account_verified": False}])
def test_who_belongs_to_another_account_now_gets_no_report(logged_in, ringcentral, columns):
    CrmUser.objects.filter(pk=logged_in.user.pk).update(**columns)
    assert logged_in.company().status_code == 403
    assert not RingCentralLogin.objects.exists()


def test_a_login_whose_owner_has_moved_to_another_account_gets_no_report(logged_in, ringcentral):
    ringcentral.extensions[ADMIN]["account"] = OTHER_ACCOUNT
    assert logged_in.company().status_code == 403


def test_a_colleague_does_not_use_it(client, logged_in, ringcentral):
    colleague = Person(client, CrmUserFactory(rc_account_id=ACCOUNT, rc_account_verified=True, crm_account_id="acme"))
    assert colleague.company("&rcAccountId=400131").status_code == 403
    assert logged_in.company().status_code == 200


def test_an_extension_of_another_account_is_refused_by_ringcentral(logged_in, ringcentral):
    reply = logged_in.of_extension(STRANGER)
    assert (reply.status_code, reply.content) == (403, b"RingCentral does not allow this report for your account.")


# --- What they tell ------------------------------------------------------------------------------


def _aggregate(name, inbound, outbound, answered, seconds):
    return {
        "info": {"name": name},
        "counters": {
            "callsByDirection": {"valueType": "Instances", "values": {"inbound": inbound, "outbound": outbound}},
            "callsByResponse": {"valueType": "Instances", "values": {"answered": answered}},
        },
        "timers": {"allCalls": {"valueType": "Seconds", "values": seconds}},
    }


def test_the_company_is_one_object_for_the_extension(logged_in, ringcentral):
    ringcentral.aggregate = [_aggregate("Acme", 30, 10, 24, 6000)]
    assert logged_in.company().json() == {
        "callLogStats": {
            "inboundCallCount": 30,
            "outboundCallCount": 10,
            "answeredCallCount": 24,
            "answeredCallPercentage": "80.00%",
            "totalTalkTime": 100,
            "averageTalkTime": 2.5,
        }
    }


def test_a_company_without_a_call_is_all_zero(logged_in, ringcentral):
    ringcentral.aggregate = [{"info": {"name": "Acme"}, "counters": {}, "timers": {"allCalls": None}}]
    assert set(logged_in.company().json()["callLogStats"].values()) == {0, "0%"}


def test_groups_are_a_list_of_all_pages(logged_in, ringcentral):
    ringcentral.aggregate = [_aggregate(name, 1, 1, 1, 60) for name in ("Ada", "", "Bob")]
    ringcentral.per_page = 2
    found = logged_in.company("&groupBy=Users").json()
    assert (found["itemKeys"], found["groupedBy"], found["groupKeys"][0]) == (["Ada", "Bob"], "Users", "Company")
    assert [row["name"] for row in found["callLogStats"]] == ["Ada", "Bob"]
    assert logged_in.company("&groupBy=undefined").json()["groupedBy"] == "Company"
    assert logged_in.company("&groupBy=Planets").status_code == 400


def test_a_users_report_counts_calls_and_texts_of_all_pages(logged_in, ringcentral):
    ringcentral.per_page = 2
    ringcentral.calls[AGENT] = [
        {"direction": "Inbound", "result": "Accepted", "duration": 90},
        {"direction": "Inbound", "result": "Missed", "duration": 0},
        {"direction": "Inbound", "result": "Call connected", "duration": 30},
        {"direction": "Outbound", "result": "Call connected", "duration": 120},
        {"direction": "Outbound", "result": "No Answer"},
    ]
    ringcentral.messages[AGENT] = [
        *({"type": "SMS", "direction": "Outbound"} for _ in range(3)),
        {"type": "SMS", "direction": "Inbound"},
        {"type": "VoiceMail", "direction": "Inbound"},
        {"type": "Fax", "direction": "Outbound"},
    ]
    assert logged_in.of_extension(AGENT).json() == {
        "callLogStats": {
            "inboundCallCount": 3,
            "outboundCallCount": 2,
            "answeredCallCount": 2,
            "answeredCallPercentage": "66.67%",
            "totalTalkTime": 4,
            "averageTalkTime": 0.8,
        },
        "smsLogStats": {"smsSentCount": 3, "smsReceivedCount": 1},
    }
    asked = [query for _, path, query, _ in ringcentral.asked if path.endswith("call-log")]
    assert asked[0]["dateFrom"] == "2026-05-01T00:00:00.000Z"
    assert logged_in.of_extension("~").json()["callLogStats"]["inboundCallCount"] == 0


@pytest.mark.parametrize(
    "query",
    [
        "timezone=UTC",
        "timeFrom=yesterday&timeTo=today",
        "timeFrom=2026-05-08T00:00:00Z&timeTo=2026-05-01T00:00:00Z",
        "timeFrom=2026-05-01T00:00:00Z&timeTo=2026-05-08T00:00:00Z&timezone=<b>",
        f"{PERIOD}&rcExtensionId=../../account",
    ],
)
def test_odd_requests_are_told_so_and_ask_nobody(logged_in, ringcentral, query):
    ringcentral.asked.clear()
    reply = logged_in.get("/ringcentral/admin/userReport", query)
    assert (reply.status_code, reply.content[:17]) == (400, b"Invalid request: ")
    assert ringcentral.asked == []


@pytest.mark.parametrize(
    ("status", "answered", "text"),
    [
        (403, 403, "RingCentral does not allow this report for your account."),
        (429, 429, "RingCentral's request limit is reached. Please try again in a minute."),
        (500, 503, "RingCentral could not make the report. Please try again later."),
        (400, 400, "RingCentral refused the report."),
    ],
)
def test_ringcentrals_refusal_is_a_text_that_the_client_shows(logged_in, ringcentral, status, answered, text):
    ringcentral.failing = {"/analytics": (status, "Nope")}
    reply = logged_in.company()
    assert reply.status_code == answered
    assert reply.content.decode().startswith(text)
    assert logged_in.login() is not None


def test_more_than_a_report_reads_is_told(logged_in, ringcentral):
    ringcentral.per_page = 1
    ringcentral.calls[AGENT] = [{"direction": "Inbound", "duration": 1}] * 31
    reply = logged_in.of_extension(AGENT)
    assert (reply.status_code, reply.content[:26]) == (400, b"There are too many records")
