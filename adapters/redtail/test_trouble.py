"""What may go wrong at Redtail: lost answers, refusals, many at once, and users who are not who they seem."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.extension import Extension, call, conversation
from tests.fakes.redtail import API, COLLEAGUE_ID, HOST, PASSWORD, USER_ID

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


def test_user_names_in_another_letter_case_are_one_user(redtail):
    redtail.login()
    first = redtail.me.log_call(call("1001", redtail.pia()))["logId"]
    redtail.login(redtail.username.upper())
    assert redtail.server.rows(f"CrmUser.objects.filter(wire_id__iexact='{redtail.username}-redtail').count()") == 1
    assert redtail.me.logged("1001")[0]["logId"] == first


def test_the_settings_offer_the_categories_that_the_last_look_up_read(redtail):
    redtail.login()

    def offered():
        return [row["name"] for row in redtail.me.json("GET", "/user/settings")["defaultCategory"]["options"]]

    assert offered() == ["Client Service", "General"]
    redtail.vendor.call("replace_category", 1, 12, "Annual Review")
    assert offered() == ["Client Service", "General"]  # known for a day
    redtail.me.json("GET", "/contact?phoneNumber=+16505550112&isForceRefreshAccountData=true")
    redtail.vendor.requests()
    assert offered() == ["General", "Annual Review"]
    assert redtail.vendor.requests() == []


def test_settings_keep_the_choices_they_had_while_redtail_cannot_be_asked(redtail):
    redtail.login()
    lists_fail = {"method": "GET", "path": f"{API}/lists/categories", "status": 503, "times": 100}
    redtail.vendor.fail(lists_fail)
    assert redtail.me.json("GET", "/user/settings") == {}
    chosen = {"value": 2, "customizable": True, "options": [{"id": 2, "name": "General"}]}
    redtail.me.json("POST", "/user/settings", {"userSettings": {"defaultCategory": chosen}})
    assert redtail.me.json("GET", "/user/settings")["defaultCategory"] == chosen


def test_a_call_assigned_to_a_colleague_has_them_as_attendee_and_the_user_as_author(redtail):
    pia = redtail.pia()
    redtail.login()
    robin = Extension(redtail.server.url, "redtail")
    robin.login_with_key("apiKey", HOST, username=redtail.username.replace("jane-doe", "robin"), password=PASSWORD)
    by_token = {"isAssignedToUser": True, "adminAssignedUserToken": robin.token, "adminAssignedUserRcId": "900"}
    assert redtail.me.log_call(call("1", pia, additionalSubmission=by_token))["successful"]
    redtail.server.rows("CrmUser.objects.filter(platform='redtail').update(rc_account_id='400131')")
    hashed = "__import__('connectors.services.identity', fromlist=['hashed']).hashed('400131')"
    mappings = [{"rcExtensionId": ["899", "901"], "crmUserId": COLLEAGUE_ID}]
    redtail.server.rows(f"str(AccountSettings.objects.create(hashed_account_id={hashed}, user_mappings={mappings}))")
    by_mapping = {"isAssignedToUser": True, "adminAssignedUserRcId": "901"}
    assert redtail.me.log_call(call("2", pia, additionalSubmission=by_mapping))["successful"]
    assert redtail.me.log_call(call("3", pia, additionalSubmission={"isAssignedToUser": True}))["successful"]
    first, second, third = redtail.activities()
    assert (
        first["attendees"]
        == second["attendees"]
        == [{"type": "Crm::Activity::Attendee::User", "user_id": COLLEAGUE_ID}]
    )
    assert "attendees" not in third
    assert {first["added_by"], second["added_by"], third["added_by"]} == {USER_ID}


def test_a_call_whose_answer_was_lost_is_found_and_not_written_again(redtail):
    pia = redtail.pia()
    redtail.login()
    redtail.vendor.fail({"method": "POST", "path": f"{API}/activities", "drop": "after", "times": 1})
    assert redtail.me.log_call(call("1002", pia))["returnMessage"]["message"].startswith("Call log saved.")
    redtail.switchboard.pass_the_lag()
    redtail.vendor.fail({"path": rf"{API}/contacts/\d+/activities", "status": 503})
    assert "logId" not in redtail.me.logged("1002")[0]
    assert redtail.me.log_call(call("1002", pia))["returnMessage"]["message"].startswith("Call log saved.")  # who knows
    redtail.switchboard.pass_the_lag()
    redtail.vendor.fail()
    found = redtail.me.log_call(call("1002", pia))
    (record,) = redtail.activities()
    assert (record["id"], record["completed"]) == (found["logId"], True)
    assert [note for note, _ in redtail.notes()] == [found["logId"]]


def test_messages_whose_answer_was_lost_are_found_and_not_written_again(redtail):
    pia = redtail.pia()
    redtail.login()
    redtail.vendor.fail({"method": "POST", "path": f"{API}/activities", "drop": "after", "times": 1})
    assert redtail.me.log_messages(conversation("lost", pia, 3))["returnMessage"]["message"].startswith(
        "Messages saved."
    )
    redtail.switchboard.pass_the_lag()
    redtail.vendor.fail()
    assert redtail.switchboard.deliver().startswith("1 sent")
    (record,) = redtail.activities()
    assert record["description"].count("text number 1 ") == 1
    assert record["completed"] is True
    assert len(redtail.me.log_messages(conversation("lost", pia, 4))["logIds"]) == 1
    (record,) = redtail.activities()
    assert "Conversation(4 messages)" in record["description"]


def test_what_fails_after_the_activity_exists_is_a_warning_and_nothing_is_written_twice(redtail):
    pia = redtail.pia()
    redtail.login()
    redtail.vendor.fail(
        {"method": "PUT", "path": rf"{API}/activities/\d+", "status": 500},
        {"method": "POST", "path": rf"{API}/activities/\d+/notes", "drop": "after", "times": 1},
    )
    logged = redtail.me.log_call(call("1003", pia))
    assert logged["successful"] is True
    assert logged["returnMessage"]["messageType"] == "warning"
    assert "marked as completed" in str(logged["returnMessage"]["details"])
    assert len(redtail.notes()) == 1  # written, its answer lost, found
    redtail.vendor.fail()
    assert redtail.me.log_call(call("1003", pia))["returnMessage"]["message"] == "Existing log for session 1003"
    assert len(redtail.vendor.state()["activities"]) == 1


@pytest.mark.parametrize(("failure", "times_sent"), [({"drop": "after"}, 1), ({"status": 503}, 2)])
def test_marking_as_completed_is_repeated_only_where_it_did_not_arrive(redtail, failure, times_sent):
    pia = redtail.pia()
    redtail.login()
    completion = {"method": "PUT", "path": rf"{API}/activities/\d+"}
    redtail.vendor.fail({**completion, **failure, "times": 1})
    redtail.vendor.requests()
    assert redtail.me.log_call(call("1005", pia))["returnMessage"]["message"] == "Call logged"
    assert [request["method"] for request in redtail.vendor.requests()].count("PUT") == times_sent
    assert [record["completed"] for record in redtail.activities()] == [True]


def test_a_body_that_cannot_be_read_is_not_overwritten(redtail):
    pia = redtail.pia()
    redtail.login()
    log = redtail.me.log_call(call("1004", pia))["logId"]
    redtail.me.log_messages(conversation("c", pia, 1))
    before = redtail.vendor.state()["activities"]
    redtail.vendor.fail(
        {"method": "GET", "path": rf"{API}/activities/\d+", "status": 200, "body": {"activity": {"id": log}}}
    )
    kept = redtail.me.edit_call("1004", note="later")
    assert kept["returnMessage"]["message"] == "Change saved. It will be sent when Redtail is back."
    kept = redtail.me.log_messages(conversation("c", pia, 2))
    assert kept["returnMessage"]["message"] == "Messages saved. They will be sent when Redtail is back."
    redtail.vendor.fail()
    assert redtail.vendor.state()["activities"] == before
    redtail.switchboard.pass_the_lag()
    assert redtail.switchboard.deliver().startswith("2 sent")
    assert "later" in redtail.activity(log)["description"]
    redtail.vendor.call("edit_description", log, None)  # cleared by a person: that can be read
    assert redtail.me.edit_call("1004", note="kept")["successful"]
    assert "kept" in redtail.activity(log)["description"]


def test_refusals_tell_the_user_what_to_do(redtail):
    pia = redtail.pia()
    redtail.login()

    def told(**answer):
        redtail.vendor.fail({"method": "GET", "path": f"{API}/contacts/search_basic", **answer})
        reply = redtail.me.json("GET", "/contact?phoneNumber=+16505550112&isForceRefreshAccountData=true")
        assert reply["successful"] is False
        assert reply["contact"] == []
        return reply["returnMessage"]["message"] + str(reply["returnMessage"]["details"])

    forbidden = {"message": "User Forbidden from viewing contacts"}
    assert "Ask your Redtail administrator" in told(status=403, body=forbidden)
    assert "Logout and then Connect" in told(status=401, body={"message": "Invalid credentials"})
    assert "in 7 seconds" in told(status=429, body={"message": "slow down"}, headers={"Retry-After": "7"})
    redtail.vendor.requests()
    assert "Rate limit exceeded" in told(status=200)
    assert redtail.vendor.requests() == []  # what the vendor asked for is kept without asking again
    assert pia["name"] not in redtail.switchboard.log()


def test_many_at_once_make_one_activity_for_a_call_and_one_for_a_day(redtail):
    pia = redtail.pia()
    redtail.login()
    redtail.vendor.fail({"method": "POST", "path": f"{API}/activities", "delay": 0.2})

    def post(number):
        one = Extension(redtail.server.url, "redtail")
        one.token = redtail.me.token
        return one.log_call(call("7", pia)) if number % 2 else one.log_messages(conversation("c", pia, 3))

    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(post, range(16)))
    logged = [reply["returnMessage"]["message"] for reply in replies[1::2]]
    assert sorted(set(logged)) == ["Call logged", "Existing log for session 7"]
    assert logged.count("Call logged") == 1
    assert sorted(len(reply["logIds"]) for reply in replies[::2]) == [0] * 7 + [3]
    subjects = sorted(row["subject"] for row in redtail.activities())
    assert subjects == ["Inbound Call from Pia Ostrow", "SMS conversation with Pia Ostrow - 26/05/04"]
    assert len(redtail.notes()) == 1
