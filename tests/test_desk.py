"""The support desk: whatever a user can tell of a call leads to its page, and the page says what happened and why."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from io import StringIO
from urllib.parse import quote

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEvent, CallLog, ConversationLog, LogReason
from audit.recorder import record
from connectors.deliveries.models import Delivery, State
from connectors.models import AccountSettings, CrmUser, LookUp
from connectors.services.identity import hashed
from tests.extension import call, conversation
from tests.live_server import free_port

pytestmark = [pytest.mark.enable_socket, pytest.mark.django_db(transaction=True)]
NUMBER = "+16505551212"
WRITES = {"method": "POST", "path_prefix": "/api/activities", "times": None}
_sessions = iter(range(81_000, 82_000))


@pytest.fixture
def session():
    return str(next(_sessions))


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("kim", password="x" * 16))
    return client


@pytest.fixture
def find(staff):
    """What the search box leads to: the page's address, and what a reader sees of it."""

    def find(text):
        reply = staff.get("/admin/desk/search/", {"q": text}, follow=True)
        assert reply.status_code == 200, reply.content[:300]
        return reply.request["PATH_INFO"], seen(reply)

    return find


def seen(reply) -> str:
    """The text of a page."""
    content = reply.content.decode()
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", content[content.index("<main") :])).split())


def page_of(log) -> str:
    kind = "call" if isinstance(log, CallLog) else "day"
    return f"/admin/desk/{kind}/{log.pk}/"


def down(settings) -> None:
    settings.ADAPTER_VARIABLES = {"TEST_CRM_URL": f"http://127.0.0.1:{free_port()}"}


# --- one search box --------------------------------------------------------------------------------


def test_a_call_is_found_by_whatever_a_user_can_tell_of_it(me, luke, session, find):
    me.log_call(call(session, luke, contactId=luke["id"]))
    log = CallLog.objects.get()
    for text in (
        NUMBER,
        "(650) 555-1212",
        "6505551212",
        "650.555.1212",
        "…1212",
        session,
        f"s-{session}",
        log.crm_log_id,
        f"Reference: {AuditEvent.objects.get(subject=session).request_id}",
    ):
        path, text_seen = find(text)
        is_page = path == page_of(log)
        assert is_page or "Incoming, 4 May" in text_seen, (text, path, text_seen)
    assert find(session)[0] == page_of(log)


def test_a_day_an_agent_and_a_number_narrow_each_other(me, luke, session, find):
    me.log_call(call(session, luke))
    name = CrmUser.objects.get().name
    assert find("2026-05-04")[0] == page_of(CallLog.objects.get())
    assert find(f"{NUMBER} 2026-05-04")[0] == page_of(CallLog.objects.get())
    for text in (f"{name} 4 May 2026", f"{name} {NUMBER}"):
        assert "Incoming, 4 May" in find(text)[1], text
    assert "Nothing found" in find("2026-05-05")[1]
    assert "Incoming" not in find(f"{name} 2026-05-05")[1]


def test_the_same_last_digits_of_another_number_are_only_offered_as_such(me, luke, session, find):
    me.log_call(call(session, luke))
    assert "No log has the whole number" in find("+44 20 7946 1212")[1]
    assert "No log has the whole number" not in find("1212")[1]
    assert "Nothing found" in find("+16505559999")[1]


def test_an_agent_is_found_by_name_and_by_e_mail_address(me, find):
    user = CrmUser.objects.get()
    CrmUser.objects.update(email="agent@acme.example")
    for text in (user.name, user.name.split()[0].lower(), "agent@acme.example", user.wire_id):
        assert find(text)[0] == f"/admin/desk/user/{user.pk}/", text


def test_nothing_found_says_what_that_means_and_who_was_seen_when(me, find):
    for text in ("+16505559999", "9999", "no-such-session", "2020-01-01", "nobody@acme.example"):
        text_seen = find(text)[1]
        assert "Nothing found" in text_seen, text
        assert "the extension never sent it" in text_seen
        assert "Who was seen last" in text_seen
        assert CrmUser.objects.get().name in text_seen


def test_a_number_is_stored_as_keyed_hash_and_last_digits_only(me, luke, session, find, settings):
    me.log_call(call(session, luke))
    me.log_messages(conversation(f"c-{session}", luke, 2))
    call_log, day = CallLog.objects.get(), ConversationLog.objects.get()
    assert call_log.number_ending == day.number_ending == "1212"
    assert call_log.number_hash == day.number_hash != ""
    assert LookUp.objects.get().number_hash == day.number_hash
    for model in (CallLog, ConversationLog, LookUp, AuditEvent, LogReason):
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {model._meta.db_table}")
            assert "6505551212" not in re.sub(r"[^0-9,]", "", str(cursor.fetchall()))
    settings.HASH_KEY = "another"
    assert "No log has the whole number" in find(NUMBER)[1], "the hash depends on the key"


def test_a_conversation_is_found_by_its_number_message_and_id(me, luke, session, find):
    me.log_messages(conversation(f"c-{session}", luke, 3))
    day = ConversationLog.objects.get()
    assert find(f"c-{session}")[0] == page_of(day)
    assert find("54000401")[0] == page_of(day)
    text_seen = find(day.conversation_log_id)[1]
    assert "This conversation is in Test CRM." in text_seen
    assert "3 of 3 are in Test CRM." in text_seen
    assert "text number" not in text_seen


# --- a call's page ---------------------------------------------------------------------------------


def test_the_page_of_a_logged_call_shows_its_requests_record_and_contact(me, luke, session, staff, sandbox):
    me.log_call(call(session, luke))
    log = CallLog.objects.get()
    reply = staff.get(page_of(log))
    text_seen = seen(reply)
    assert "This call is in Test CRM." in text_seen
    assert "Written into Test CRM" in text_seen
    assert re.search(r"POST /api/activities 20[01] \d+ ms", text_seen), text_seen
    host = sandbox.url.split("//")[1]
    CrmUser.objects.update(host=host)
    addresses = staff.get(page_of(log)).content.decode()
    assert f'href="http://{host}/activities/{log.crm_log_id}"' in addresses
    assert f'href="http://{host}/contacts/{log.contact_id}"' in addresses
    assert f"/admin/desk/user/{log.user_id}/" in addresses


def test_a_refused_call_shows_the_crms_own_words_and_what_to_do(me, luke, session, staff, sandbox):
    sandbox.fail({**WRITES, "status": 422})
    me.log_call(call(session, luke))
    log = CallLog.objects.get()
    text_seen = seen(staff.get(page_of(log)))
    assert "This call is not in Test CRM: Test CRM refused it." in text_seen
    assert "This failure was ordered." in text_seen
    assert "RequestRejected" not in text_seen
    record("staff.read_text", actor="staff:kim", platform=log.platform, owner=log.owner, subject=session)
    text_seen = seen(staff.get(page_of(log)))
    assert "Test CRM said: This failure was ordered." in text_seen, "what support did since says nothing of it"
    assert "Support read a kept text" in text_seen
    event = AuditEvent.objects.get(subject=session, action="call_log.create")
    assert "ordered" not in str(event.detail)
    with connection.cursor() as cursor:
        cursor.execute("SELECT text FROM audit_logreason")
        ((stored,),) = cursor.fetchall()
    assert stored.startswith("v1.")


def test_what_waits_says_for_whom_since_when_and_until_when(me, luke, session, staff, settings):
    down(settings)
    me.log_call(call(session, luke, note="Wants the blue one"))
    log, delivery = CallLog.objects.get(), Delivery.objects.get()
    text_seen = seen(staff.get(page_of(log)))
    assert "This call is not in Test CRM: it waits for Test CRM." in text_seen
    assert "Next attempt" in text_seen
    assert "It is tried until" in text_seen
    assert "Kept, to be sent again." in text_seen
    assert "blue" not in text_seen
    for hours in (1, 2, 3):
        with time_machine.travel(timezone.now() + timedelta(hours=hours)):
            call_command("deliver", stdout=StringIO())
    assert "3 times , the last time" in seen(staff.get(page_of(log)))
    Delivery.objects.filter(pk=delivery.pk).update(state=State.LOGIN, last_error="SessionEnded")
    text_seen = seen(staff.get(page_of(log)))
    assert "connects Test CRM again" in text_seen
    Delivery.objects.filter(pk=delivery.pk).update(state=State.PERSON)
    assert "Decide: send it now, mark it as logged" in seen(staff.get(page_of(log)))


def test_what_was_given_up_is_not_said_to_be_sent_by_itself(me, luke, session, staff, settings):
    down(settings)
    me.log_call(call(session, luke))
    Delivery.objects.update(accepted_at=timezone.now() - timedelta(hours=100))
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        call_command("deliver", stdout=StringIO())
    text_seen = seen(staff.get(page_of(CallLog.objects.get())))
    assert "This call is not in Test CRM: it was given up after 2 attempts." in text_seen
    assert "Its text is deleted" in text_seen
    assert "Could not be sent within 72 hours; is kept for 14 days." in text_seen
    assert "by itself" not in text_seen
    assert "Could not be sent within 72 hours" in seen(staff.get("/admin/desk/queue/"))


def test_the_same_words_of_a_crm_are_kept_once(me, luke, session, settings, sandbox):
    sandbox.fail({**WRITES, "status": 503})
    me.log_call(call(session, luke))
    for hours in range(1, 4):
        Delivery.objects.update(settles_at=None)
        with time_machine.travel(timezone.now() + timedelta(hours=hours)):
            call_command("deliver", stdout=StringIO())
    assert AuditEvent.objects.filter(subject=session, outcome="failure").count() > 1
    assert LogReason.objects.count() == 1


def test_other_logs_of_a_session_are_linked(me, luke, session, staff):
    me.log_call(call(session, luke))
    log = CallLog.objects.get()
    other = CallLog.objects.create(platform="testCRM", owner="user:another", session_id=session)
    addresses = staff.get(page_of(log)).content.decode()
    assert page_of(other) in addresses
    assert "Other logs of the same call" in addresses


def test_a_page_of_what_does_not_exist_is_not_found(staff):
    nobody = "00000000-0000-0000-0000-000000000000"
    for kind in ("call", "day", "user", "look-up", "text"):
        assert staff.get(f"/admin/desk/{kind}/{nobody}/").status_code == 404


# --- why (not)? ------------------------------------------------------------------------------------


def test_a_look_up_tells_what_was_tried_and_what_became_of_each_hit(me, staff, find):
    me.look_up(NUMBER)
    look_up = LookUp.objects.get()
    text_seen = seen(staff.get(f"/admin/desk/look-up/{look_up.pk}/"))
    assert "1 contact with the number ending in 1212 was shown" in text_seen
    assert "•••1212" in text_seen
    assert "6505551212" not in re.sub(r"[^0-9 ]", "", text_seen)
    assert "Luke" not in text_seen
    assert find(look_up.request_id)[0] == f"/admin/desk/look-up/{look_up.pk}/"
    me.look_up(NUMBER)
    assert LookUp.objects.count() == 1, "an answer from the cache leaves no row"


def test_a_look_up_that_found_nobody_says_what_to_check(me, staff):
    me.look_up("+16505550199")
    text_seen = seen(staff.get(f"/admin/desk/look-up/{LookUp.objects.get().pk}/"))
    assert "Nobody with the number ending in 0199 was shown" in text_seen
    assert "What to do:" in text_seen


def test_a_hit_that_was_dropped_is_shown_with_the_reason(me, staff, monkeypatch):
    from adapters import registry
    from adapters.contract import ContactMatches, DroppedHit

    def find_contacts(self, phone):
        return ContactMatches(dropped=(DroppedHit(id=77, reason="has another number"),))

    sound = registry.adapter_class("testCRM")
    adapter = type("Adapter", (sound,), {"find_contacts": find_contacts})
    monkeypatch.setattr(registry, "adapter_class", lambda platform: adapter)
    me.look_up("+16505550177")
    text_seen = seen(staff.get(f"/admin/desk/look-up/{LookUp.objects.get().pk}/"))
    assert "77 record not shown it has another number" in text_seen


def test_a_look_up_without_an_answer_says_why(me, staff, settings):
    down(settings)
    me.look_up("+16505550155")
    text_seen = seen(staff.get(f"/admin/desk/look-up/{LookUp.objects.get().pk}/"))
    assert "could not be looked up: Test CRM could not be reached" in text_seen


def test_traces_of_look_ups_go_after_their_time(me):
    me.look_up(NUMBER)
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        call_command("clear_tokens", stdout=StringIO())
    assert not LookUp.objects.exists()


# --- a user's page ---------------------------------------------------------------------------------


def test_the_page_of_a_user_tells_who_they_are_and_what_they_did(me, luke, session, staff):
    me.log_call(call(session, luke))
    user = CrmUser.objects.get()
    text_seen = seen(staff.get(f"/admin/desk/user/{user.pk}/"))
    assert user.name in text_seen
    assert "works, as far as is known" in text_seen
    assert "Incoming, 4 May" in text_seen
    yesterday = timezone.localdate() - timedelta(days=1)
    text_seen = seen(staff.get(f"/admin/desk/user/{user.pk}/?day={yesterday}"))
    assert "reached this server on this day" in text_seen
    assert staff.get(f"/admin/desk/user/{user.pk}/?day=nonsense").status_code == 200


def test_the_page_of_a_user_tells_what_is_wrong_with_the_login(me, luke, session, staff, sandbox):
    sandbox.fail({"method": "POST", "path_prefix": "/api/activities", "status": 401, "times": None})
    me.log_call(call(session, luke))
    user = CrmUser.objects.get()
    text_seen = seen(staff.get(f"/admin/desk/user/{user.pk}/"))
    assert "Test CRM did not accept the login" in text_seen
    assert "connect Test CRM again in the extension" in text_seen
    assert user.last_error_at is not None
    assert "The call log waits until" not in text_seen.split("What waits")[0]
    assert "The call log" in text_seen


def test_settings_are_shown_with_who_set_them_and_without_secrets(me, staff):
    user = CrmUser.objects.get()
    user.settings = {"autoLogCall": {"value": True}, "plugin_x": {"value": {"config": {"jwtToken": {"value": "s3"}}}}}
    user.rc_account_id = "77"
    user.save()
    ruled = {"autoLogSMS": {"value": False, "customizable": False}, "apiToken": {"value": "s3cret"}}
    AccountSettings.objects.create(hashed_account_id=hashed("77"), settings=ruled)
    text_seen = seen(staff.get(f"/admin/desk/user/{user.pk}/"))
    assert "Auto log call on the user" in text_seen
    assert "Auto log sms off an administrator" in text_seen
    assert "s3" not in text_seen


# --- the queue -------------------------------------------------------------------------------------


def test_the_queue_groups_by_crm_and_reason_and_shows_no_text(me, luke, staff, settings):
    down(settings)
    for _ in range(3):
        me.log_call(call(str(next(_sessions)), luke, note="Wants the blue one"))
    first = Delivery.objects.order_by("accepted_at").first()
    Delivery.objects.filter(pk=first.pk).update(state=State.PERSON, reason="Look there, then decide.")
    reply = staff.get("/admin/desk/queue/")
    text_seen = seen(reply)
    assert re.search(r"1 change Test CRM \S* ?Needs a decision Look there, then decide\.", text_seen), text_seen
    assert re.search(r"2 changes Test CRM", text_seen)
    link = re.search(r'href="(\?crm=[^"#]*state=person[^"#]*)', reply.content.decode())[1]
    text_seen = seen(staff.get(f"/admin/desk/queue/{unescape(link)}"))
    assert "The call log" in text_seen.split("The changes, oldest first")[1]
    assert "blue" not in text_seen
    assert page_of(first.call_log) in staff.get(f"/admin/desk/queue/{unescape(link)}").content.decode()


def test_a_text_is_read_only_where_it_is_allowed_and_each_time_is_recorded(me, luke, session, staff, client, settings):
    down(settings)
    me.log_call(call(session, luke, note="Wants the blue one"))
    log, delivery = CallLog.objects.get(), Delivery.objects.get()
    address = f"/admin/desk/text/{delivery.pk}/"
    assert staff.get(address).status_code == 404
    assert address not in staff.get(page_of(log)).content.decode()
    settings.AUDIT_KEEP_BODIES = True
    assert address in staff.get(page_of(log)).content.decode()
    assert "Wants the blue one" in seen(staff.get(address))
    event = AuditEvent.objects.get(action="staff.read_text")
    assert (event.actor, event.subject) == ("staff:kim", session)
    client.force_login(User.objects.create_user("lee", password="x" * 16, is_staff=True))
    assert client.get(address).status_code == 403
    assert AuditEvent.objects.filter(action="staff.read_text").count() == 1


# --- whatever is asked ---


WRONG = ("%00", "'; --", "9" * 400, "0001-01-01", "9999-12-31", "31 February", "*" * 200, "💥", "(((((1234567")


@pytest.mark.parametrize("text", WRONG)
def test_whatever_is_asked_has_an_answer(me, staff, text):
    user = CrmUser.objects.get()
    for path in ("desk/search/?q=", "desk/queue/?state=", f"desk/user/{user.pk}/?day=", "audit/auditevent/?q=",
                 "audit/calllog/?platform=", "audit/auditevent/?outcome="):  # fmt: skip
        assert staff.get(f"/admin/{path}{quote(text)}").status_code in (200, 302), path


# --- everybody's -----------------------------------------------------------------------------------


def test_each_page_needs_a_sign_in_and_its_permission(me, luke, session, client):
    me.log_call(call(session, luke))
    log = CallLog.objects.get()
    pages = [
        page_of(log),
        "/admin/desk/search/?q=1212",
        "/admin/desk/queue/",
        f"/admin/desk/user/{log.user_id}/",
        f"/admin/desk/look-up/{LookUp.objects.get().pk}/",
    ]
    for page in pages:
        assert client.get(page).status_code == 302
    client.force_login(User.objects.create_user("lee", password="x" * 16, is_staff=True))
    for page in pages:
        assert client.get(page).status_code == 403


def test_times_are_in_the_readers_zone(me, luke, session, staff):
    me.log_call(call(session, luke))
    address = page_of(CallLog.objects.get())
    assert "2026-05-04 16:31:07 UTC" in seen(staff.get(address))
    staff.cookies["timezone"] = "America%2FLos_Angeles"
    assert "2026-05-04 09:31:07 PDT" in seen(staff.get(address))
    for wrong in ("Mars/Olympus", "../../etc/passwd", "%00", "x" * 300):
        staff.cookies["timezone"] = wrong
        assert "2026-05-04 16:31:07 UTC" in seen(staff.get(address))


def test_search_and_the_page_of_a_call_cost_at_most_twelve_queries(me, luke, session, client, settings):
    from django.contrib.auth.models import Permission

    me.log_call(call(session, luke))
    me.log_messages(conversation(f"c-{session}", luke, 2))
    down(settings)
    me.edit_call(session, note="More")
    lee = User.objects.create_user("lee", password="x" * 16, is_staff=True)
    lee.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(lee)
    log, day = CallLog.objects.get(), ConversationLog.objects.get()
    addresses = [page_of(log), page_of(day), f"/admin/desk/user/{log.user_id}/", "/admin/desk/queue/"]
    name = log.user.name.replace(" ", "+")
    asked = ("%2B16505551212", "1212", session, "0123456789abcdef", name, f"{name}+yesterday", "5559999", "2026-05-04")
    for address in [*addresses, *(f"/admin/desk/search/?q={text}" for text in asked)]:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code in (200, 302), address
        assert len(queries) <= 12, (address, len(queries), [query["sql"][:90] for query in queries])
