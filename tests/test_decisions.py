"""Decisions of support: nothing happens before it is confirmed, the page says what will, and all see who did it."""

from __future__ import annotations

import io
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from adapters import registry
from adapters.contract import (
    Contact,
    ContactDraft,
    ContactMatches,
    CrmUnavailable,
    LoggedCall,
    LogResult,
    RecordNotFound,
    RequestRejected,
    parse_phone,
)
from adapters.contract.errors import ReferenceGone, UnsupportedOperation
from audit.models import AuditEvent, CallLog, ConversationLog, LogState
from audit.sealing import seal_all
from audit.seals import TrafficHour
from connectors.api.authentication import issue_token
from connectors.deliveries.changes import CallSubmission, from_json
from connectors.deliveries.models import Circuit, Delivery
from connectors.deliveries.worker import Worker
from connectors.desk import decision_page
from connectors.models import ContactMatch, CrmUser, NoteDraft
from connectors.roles import AUDITOR, SUPPORT_ACT, SUPPORT_VIEW
from connectors.services import placeholder_contacts
from tests.factories import CrmUserFactory, signed_in

pytestmark = pytest.mark.django_db(transaction=True)
STARTED = datetime(2026, 5, 4, 16, 31, tzinfo=UTC)


class Crm:
    """What the CRM answers; each may be an error."""

    def __init__(self):
        self.created, self.record, self.found, self.named = [], LoggedCall(), (), ()
        self.answer = None

    def create(self, adapter, entry):
        if isinstance(self.answer, Exception):
            raise self.answer
        self.created.append((entry.session_id, entry.contact.id, entry.note))
        entry.created(f"id-{len(self.created)}")
        return LogResult(log_id=f"id-{len(self.created)}")

    def read(self, adapter, ref):
        if isinstance(self.record, Exception):
            raise self.record
        return self.record

    def missing(self, adapter, marker):
        if isinstance(self.answer, UnsupportedOperation):
            raise self.answer


def _method(call):
    return lambda adapter, *given: call(adapter, *given)


@pytest.fixture
def crm(monkeypatch):
    crm, sound = Crm(), registry.adapter_class("testCRM")
    methods = {
        "create_call_log": crm.create,
        "get_call_log": crm.read,
        "find_call_log": crm.missing,
        "find_contacts": lambda adapter, phone: ContactMatches(contacts=tuple(crm.found)),
        "find_contacts_by_name": lambda adapter, name: ContactMatches(contacts=tuple(crm.named)),
        "revoke": lambda adapter: None,
    }
    bound = {name: _method(call) for name, call in methods.items()}
    monkeypatch.setattr(registry, "adapter_class", lambda platform: type("Adapter", (sound,), bound))
    return crm


@pytest.fixture
def user():
    return CrmUserFactory(name="Agent Kim", timezone="Europe/Zurich")


@pytest.fixture
def staff(client):
    return signed_in(client, SUPPORT_ACT)


def _log(client, user, session, note="a note"):
    body = {
        "logInfo": {
            "sessionId": session, "direction": "Inbound", "startTime": STARTED.isoformat(), "duration": 4,
            "from": {"phoneNumber": "+14155550133"}, "to": {"phoneNumber": "+14155550100"},
        },
        "contactId": "c-1", "contactName": "Ada Quirk", "note": note,
    }  # fmt: skip
    return client.post(f"/callLog?jwtToken={issue_token(user)}", body, content_type="application/json").json()


def _kept(client, crm, user, *sessions, error=None):
    """Calls that the CRM could not take."""
    crm.answer = error or CrmUnavailable(status=503)
    for session in sessions:
        _log(client, user, session)
    crm.answer = None
    return list(Delivery.objects.filter(call_log__session_id__in=sessions).order_by("accepted_at"))


def _ask(client, key, *rows):
    return _plain(client.get(f"/admin/desk/decide/{key}/?ids={' '.join(str(row.pk) for row in rows)}"))


def _confirm(client, key, *rows, **more):
    ids = " ".join(str(row.pk) for row in rows)
    return client.post(f"/admin/desk/decide/{key}/", {"confirmed": "yes", "ids": ids, **more}, follow=True)


def _plain(reply):
    assert reply.status_code == 200, reply.content
    return " ".join(re.sub(r"<[^>]+>", " ", reply.content.decode()).split()).replace("&#x27;", "'")


def _send():
    worker = Worker(threads=1)
    worker.run_once()
    return worker.sent


def test_what_was_given_up_is_not_offered_to_be_given_up_again(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "760")
    address = f"/admin/desk/call/{delivery.call_log_id}/"
    assert "decide/give-up" in staff.get(address).content.decode()
    _confirm(staff, "give-up", delivery)
    assert "decide/give-up" not in staff.get(address).content.decode()
    assert "decide/give-up" not in staff.get("/admin/desk/queue/?state=given_up").content.decode()
    assert "1 was given up already" in _ask(staff, "give-up", delivery)
    events = AuditEvent.objects.filter(action="delivery.decide").count()
    _confirm(staff, "give-up", delivery)
    assert AuditEvent.objects.filter(action="delivery.decide").count() == events


def test_changes_are_told_apart_in_their_list(client, staff, crm, user):
    _kept(client, crm, user, "1", "2")
    CallLog.objects.filter(session_id="2").update(started_at=STARTED + timedelta(hours=1), direction="Outbound")
    page = _plain(staff.get("/admin/deliveries/delivery/"))
    assert "The call log (incoming, 4 May 16:31)" in page
    assert "The call log (outgoing, 4 May 17:31)" in page


def test_the_page_before_a_decision_lists_the_oldest_first_and_names_everybody(client, staff, crm, user, monkeypatch):
    first, second, third = _kept(client, crm, user, "1", "2", "3")
    colleague = CrmUserFactory(name="Bo Adeyemi")
    Delivery.objects.filter(pk=first.pk).update(accepted_at=timezone.now(), user=colleague)
    CallLog.objects.filter(pk=first.call_log_id).update(number_ending="9999")
    monkeypatch.setattr(decision_page, "_LISTED", 2)
    page = _ask(client, "give-up", first, second, third)
    assert "9999" not in page, "the newest is not among those listed"
    assert "Agent Kim (2), Bo Adeyemi (1)" in page
    assert "and 1 more" in page


def test_only_what_can_be_decided_is_offered_in_words_too(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    Delivery.objects.update(state="person", last_error=ReferenceGone.__name__)
    page = _plain(staff.get(f"/admin/desk/call/{delivery.call_log_id}/"))
    assert (
        "Decide: send it now, choose another contact, mark it as logged if it is in the CRM, hand it back to the agent "
        "or give it up." in page
    )
    day = ConversationLog.objects.create(
        platform=user.platform, owner=user.owner, conversation_log_id="c/1", user=user, state="failed"
    )
    Delivery.objects.create(
        kind="message_log.write", platform=user.platform, user=user, conversation=day, state="given_up"
    )
    page = _plain(staff.get(f"/admin/desk/day/{day.pk}/"))
    assert "Decide: send it now or mark it as logged if it is in the CRM." in page
    assert "A batch of messages was given up" in page


# --- send now --------------------------------------------------------------------------------------


def test_send_now_says_what_will_happen_and_probes_a_crm_that_is_down(client, staff, crm, user):
    first, second = _kept(client, crm, user, "1", "2")
    CallLog.objects.filter(pk=second.call_log_id).update(crm_log_id="id-9")
    down = timezone.now() + timedelta(hours=1)
    Circuit.objects.update_or_create(crm=first.crm, defaults={"failures": 9, "open_until": down})
    page = _ask(client, "send-now", first, second)
    assert "1 will be sent." in page
    assert "1 is in the CRM already and will only be completed and marked." in page
    assert "Agent Kim Call of 2026-05-04 16:31 UTC with a number that ends in 0133 Test CRM will be sent" in page
    assert "a note" not in page
    assert _send() == 0, "nothing happens before it is confirmed"
    said = _plain(_confirm(client, "send-now", first))
    assert "1 is sent now." in said
    assert _send() == 2, "the probe got through, so what waits for that CRM is due as well"
    assert crm.created == [("1", "c-1", "a note")]


def test_counts_are_taken_again_when_it_is_carried_out(client, staff, crm, user):
    first, second, third = _kept(client, crm, user, "1", "2", "3")
    assert "3 will be sent." in _ask(client, "send-now", first, second, third)
    Delivery.objects.filter(pk=second.pk).delete()
    Delivery.objects.filter(pk=third.pk).update(lease=user.pk, lease_until=timezone.now() + timedelta(minutes=2))
    said = _plain(_confirm(client, "send-now", first, second, third))
    assert "1 is sent now. 1 was being sent at that moment: look again. 1 was settled meanwhile" in said


def test_what_cannot_be_looked_for_is_told_before_it_is_written_perhaps_twice(client, staff, crm, user):
    _kept(client, crm, user, "1", error=CrmUnavailable(maybe_applied=True))
    Delivery.objects.update(last_error="UnsupportedOperation", state="person")
    page = _ask(client, "send-now", Delivery.objects.get())
    assert (
        "1 may be in the CRM, which cannot be asked: it will count as not there and be written, perhaps a second"
        in page
    )


def test_long_work_goes_on_in_further_requests_and_shows_how_far_it_is(client, staff, crm, user, monkeypatch):
    deliveries = _kept(client, crm, user, "1", "2", "3")
    monkeypatch.setattr(decision_page, "_AT_ONCE", 0)
    reply, steps = _confirm(client, "give-up", *deliveries), []
    while "data-go-on" in (text := reply.content.decode()):
        steps.append(re.search(r'value="(\d)" max="(\d)"', text).groups())
        fields = {
            name: value.replace("&quot;", '"') for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', text)
        }
        reply = client.post("/admin/desk/decide/give-up/", fields, follow=True)
    assert steps == [("1", "3"), ("2", "3")]
    assert "3 were given up." in _plain(reply)
    assert AuditEvent.objects.filter(action="delivery.decide", actor="staff:lee").count() == 3


def test_a_group_of_the_queue_is_decided_about_as_a_whole(client, staff, crm, user):
    _kept(client, crm, user, "1", "2")
    other = CrmUserFactory(host="other.example")
    _kept(client, crm, other, "3")
    crm_name = Delivery.objects.filter(user=user).first().crm
    page = _plain(client.get("/admin/desk/decide/send-now/", {"crm": crm_name, "state": "waiting"}))
    assert "2 will be sent." in page


# --- hand back, give up ----------------------------------------------------------------------------


def _matched(client, user, session):
    return client.get(f"/callLog?sessionIds={session}&jwtToken={issue_token(user)}").json()


def test_a_call_that_is_handed_back_is_told_once_and_has_its_note_again(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    edit = {"sessionId": "1", "note": "a better note"}
    client.patch(f"/callLog?jwtToken={issue_token(user)}", edit, content_type="application/json")
    assert Delivery.objects.count() == 2
    assert "1 will be handed back." in _ask(client, "hand-back", delivery)
    assert "1 was handed back." in _plain(_confirm(client, "hand-back", delivery))
    page = f"/admin/desk/call/{CallLog.objects.get().pk}/"
    assert "support handed it back to Agent Kim, whose extension says so" in _plain(staff.get(page))
    assert not Delivery.objects.exists()
    reply = _matched(client, user, "1")
    assert reply["logs"] == [{"sessionId": "1", "matched": False}]
    assert reply["returnMessage"]["message"] == "1 call was not logged. Please log again; your note is kept."
    told = _plain(staff.get(page))
    assert "is not in Test CRM: support handed it back to Agent Kim, who has been told so." in told
    assert _matched(client, user, "1")["returnMessage"] is None, "once"
    draft = NoteDraft.objects.get()
    assert timedelta(days=13) < draft.expires_at - timezone.now() <= timedelta(days=14)
    assert _log(client, user, "1", note="")["successful"]
    assert crm.created == [("1", "c-1", "a better note")]
    assert not NoteDraft.objects.exists(), "it is in the log"
    assert _matched(client, user, "1")["logs"][0]["matched"]


def test_a_note_of_the_agents_own_wins_over_the_one_that_was_handed_back(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    _confirm(client, "hand-back", delivery)
    _log(client, user, "1", note="written anew")
    assert crm.created[0][2] == "written anew"
    assert not NoteDraft.objects.exists()


def test_the_note_of_a_call_that_was_handed_back_waits_on_where_the_crm_refuses_it_again(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    _confirm(client, "hand-back", delivery)
    crm.answer = RequestRejected("not that")
    assert not _log(client, user, "1", note="")["successful"]
    assert NoteDraft.objects.get().note == "a note"
    crm.answer = None
    assert _log(client, user, "1", note="")["successful"]
    assert crm.created == [("1", "c-1", "a note")]
    assert not NoteDraft.objects.exists()


def test_an_ordinary_draft_is_not_put_into_a_log_without_a_note(client, crm, user):
    body = {"sessionId": "1", "note": "for server-side logging"}
    client.post(f"/callLog/cacheNote?jwtToken={issue_token(user)}", body, content_type="application/json")
    _log(client, user, "1", note="")
    assert crm.created[0][2] == ""


def test_what_has_a_record_or_is_an_edit_is_not_handed_back(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    CallLog.objects.update(crm_log_id="id-1")
    asked = _ask(client, "hand-back", delivery)
    assert "1 is no new call, or has a record in the CRM, and stays as it is." in asked
    assert "1 stays as it was." in _plain(_confirm(client, "hand-back", delivery))
    assert Delivery.objects.exists()
    assert not NoteDraft.objects.exists()


def test_what_cannot_be_read_is_told_before_it_is_decided_about(client, staff, crm, user):
    first, second = _kept(client, crm, user, "1", "2")
    with connection.cursor() as cursor:  # what another key made
        cursor.execute("UPDATE deliveries_delivery SET payload = 'v1.gone.AAAA' WHERE id = %s", [_raw(first.pk)])
    Delivery.objects.filter(pk=second.pk).update(last_error="UnreadableChange")
    first = Delivery.objects.get(pk=first.pk)
    asked = _ask(client, "send-now", first, second)
    assert (
        "2 cannot be read with the keys or the version of this server: they will be tried, and go on waiting." in asked
    )
    assert "1 cannot be read with this server's keys or version, and stays as it is." in _ask(
        client, "hand-back", first
    )
    assert "1 cannot be read" in _plain(_confirm(client, "hand-back", first))
    assert "1 is tried now, and waits on where it cannot be read." in _plain(_confirm(client, "send-now", first))
    assert Delivery.objects.count() == 2


def _raw(key):
    """A UUID as the database holds it."""
    return Delivery._meta.pk.get_db_prep_value(key, connection)


def test_giving_up_says_that_the_text_stays_for_a_while_and_then_goes(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    page = _ask(client, "give-up", delivery)
    assert "1 will be given up." in page
    assert "Their text stays here, encrypted, for 14 days" in page
    _confirm(client, "give-up", delivery)
    assert Delivery.objects.get().state == "given_up"


# --- mark as logged --------------------------------------------------------------------------------

FITS = LoggedCall(started_at=STARTED, contact_name="Quirk, Ada")
DIFFERENT = {
    "another day": (replace(FITS, started_at=STARTED + timedelta(days=1)), "That record is of 2026-05-05"),
    "another contact": (replace(FITS, contact_name="Bob Stone"), "about somebody else"),
    "no such record": (RecordNotFound(), "id-5 is no record that the CRM shows to Agent Kim: nothing was marked."),
    "CRM down": (CrmUnavailable(status=503), "could not be asked, so nothing was marked"),
}


def _mark(client, delivery, **fields):
    return _plain(client.post(f"/admin/desk/mark/{delivery.pk}/", fields, follow=True))


@pytest.mark.parametrize(
    "record",
    [
        FITS,
        replace(FITS, contact_name="", raw={"who": {"id": "c-1"}}),
        replace(FITS, contact_name="", body="(415) 555-0133"),
    ],
)
def test_a_record_of_the_same_day_and_contact_counts_as_logged(client, staff, crm, user, record):
    (delivery,) = _kept(client, crm, user, "1")
    crm.record = record
    assert "It counts as logged, as id-5." in _mark(client, delivery, crm_id=" id-5 ")
    log = CallLog.objects.get()
    assert (log.state, log.crm_log_id) == (LogState.LOGGED, "id-5")
    read = AuditEvent.objects.get(action="call_log.read")
    assert (read.actor, read.target) == ("staff:lee", "id-5")
    assert AuditEvent.objects.get(action="delivery.decide").detail["checked"] == "read in the CRM"


@pytest.mark.parametrize("name", DIFFERENT)
def test_another_record_is_refused_also_if_its_id_is_typed_twice(client, staff, crm, user, name):
    (delivery,) = _kept(client, crm, user, "1")
    crm.record, reason = DIFFERENT[name]
    assert reason in _mark(client, delivery, crm_id="id-5", typed="id-5")
    assert CallLog.objects.get().crm_log_id == ""
    assert Delivery.objects.exists()


@pytest.mark.parametrize(
    "record",
    [
        LoggedCall(),
        replace(FITS, started_at=None),
        UnsupportedOperation("reading"),
        replace(FITS, contact_name="Ada Stone"),  # a part of the name only
        replace(FITS, contact_name="Bob Stone", raw={"who": "c-1"}),  # renamed, or somebody else
    ],
)
def test_where_nothing_can_be_compared_the_id_is_typed_twice(client, staff, crm, user, record):
    (delivery,) = _kept(client, crm, user, "1")
    crm.record = record
    assert "type its id once more" in _mark(client, delivery, crm_id="id-5")
    assert "The two ids differ: nothing was marked." in _mark(client, delivery, crm_id="id-5", typed="id-6")
    assert CallLog.objects.get().crm_log_id == ""
    assert "It counts as logged" in _mark(client, delivery, crm_id="id-5", typed="id-5")
    assert AuditEvent.objects.get(action="delivery.decide").detail["checked"] == "typed twice"


@pytest.mark.parametrize(
    ("contact", "name", "is_taken"),
    [("12", "Bob Stone", False), ("12", "", False), ("1200345", "", True), ("1200345", "Bob Stone", False)],
)
def test_a_contacts_id_among_the_records_values_tells_nothing_where_it_may_be_another_number(
    client, staff, crm, user, contact, name, is_taken
):
    (delivery,) = _kept(client, crm, user, "1")
    submission = from_json(delivery.payload, CallSubmission)
    entry = replace(submission.entry, contact=replace(submission.entry.contact, id=int(contact)))
    delivery.replace_change(replace(submission, entry=entry))
    crm.record = replace(FITS, contact_name=name, raw={"duration": 12, "contact": 1200345})
    told = _mark(client, delivery, crm_id="id-5")
    assert ("It counts as logged" in told, "type its id once more" in told) == (is_taken, not is_taken)


def test_a_log_whose_record_is_known_is_not_marked_as_another(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    CallLog.objects.update(crm_log_id="id-1")
    crm.record = FITS
    assert "The CRM has it as id-1 already" in _mark(client, delivery, crm_id="id-5")
    assert Delivery.objects.exists()
    assert "It counts as logged, as id-1." in _mark(client, delivery, crm_id="id-1")


def test_digits_of_an_extension_are_no_number_of_the_record(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    submission = from_json(delivery.payload, CallSubmission)
    entry = replace(submission.entry, contact=replace(submission.entry.contact, phone="101"))
    delivery.replace_change(replace(submission, entry=entry))
    crm.record = replace(FITS, contact_name="Bob Stone", body="Duration: 10 minutes, 1 second")
    assert "about somebody else" in _mark(client, delivery, crm_id="id-5")


def test_the_record_of_a_call_is_no_record_of_messages_nor_the_other_way_round(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    day = ConversationLog.objects.create(
        platform=user.platform, owner=user.owner, conversation_log_id="c/1", user=user, crm_log_id="id-9"
    )
    crm.record = FITS
    assert "id-9 is another log's record." in _mark(client, delivery, crm_id="id-9", typed="id-9")
    ConversationLog.objects.update(crm_log_id="")
    CallLog.objects.update(crm_log_id="id-8")
    texts = Delivery.objects.create(kind="message_log.write", platform=user.platform, user=user, conversation=day)
    assert "id-8 is another log's record." in _mark(client, texts, crm_id="id-8", typed="id-8")
    assert "It counts as logged, as id-7." in _mark(client, texts, crm_id="id-7", typed="id-7")


@pytest.mark.parametrize("page", ["mark", "contact"])
def test_what_was_settled_meanwhile_is_told_on_the_page_where_the_reader_came_from(client, staff, crm, user, page):
    (delivery,) = _kept(client, crm, user, "1")
    Delivery.objects.update(last_error=ReferenceGone.__name__)
    address, home = f"/admin/desk/{page}/{delivery.pk}/", f"/admin/desk/call/{delivery.call_log_id}/"
    crm.found = [Contact(id="c-7", name="Ada Quirk-Stone", type="Lead")]
    assert f'name="next" value="{home}"' in client.get(address).content.decode()
    Delivery.objects.all().delete()
    for next_page, leads_to in (
        (home, home),
        ("https://evil.example/", "/admin/desk/queue/"),
        ("", "/admin/desk/queue/"),
    ):
        reply = client.post(address, {"crm_id": "id-5", "next": next_page}, follow=True)
        assert reply.redirect_chain == [(leads_to, 302)]
        assert "It does not wait any more" in _plain(reply)


def test_records_of_messages_are_not_read_so_the_id_is_typed_twice_at_once(client, staff, crm, user):
    day = ConversationLog.objects.create(platform=user.platform, owner=user.owner, conversation_log_id="c/1", user=user)
    texts = Delivery.objects.create(kind="message_log.write", platform=user.platform, user=user, conversation=day)
    page = client.get(f"/admin/desk/mark/{texts.pk}/").content.decode()
    assert 'name="crm_id"' in page
    assert 'name="typed"' in page
    assert "Records of messages are not read here" in page
    assert "login" not in _plain(client.get(f"/admin/desk/mark/{texts.pk}/"))


# --- another contact -------------------------------------------------------------------------------


def test_a_log_whose_contact_is_gone_is_written_to_another(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1", error=CrmUnavailable(status=503))
    address = f"/admin/desk/contact/{delivery.pk}/"
    assert "not gone: there is nothing to choose" in _plain(client.get(address))
    Delivery.objects.update(state="person", last_error=ReferenceGone.__name__)
    crm.found = [Contact(id="c-7", name="Ada Quirk-Stone", type="Lead")]
    crm.named = [Contact(id="c-8", name="Bob", type="Contact")]
    assert "Ada Quirk-Stone Lead c-7" in _plain(client.get(address))
    assert "Bob Contact c-8" in _plain(client.get(address, {"q": "Bob"}))
    assert "It is written to Ada Quirk-Stone now." in _plain(client.post(address, {"contact": "Lead c-7"}, follow=True))
    log = CallLog.objects.get()
    assert (log.contact_id, log.contact_type) == ("c-7", "Lead")
    assert _send() == 1
    assert crm.created == [("1", "c-7", "a note")]
    looks = AuditEvent.objects.filter(action__in=("contact.find", "contact.search"))
    assert set(looks.values_list("actor", flat=True)) == {"staff:lee"}
    chosen = AuditEvent.objects.get(action="delivery.decide")
    assert (chosen.actor, chosen.detail["contact"]) == ("staff:lee", "c-7")
    assert "Quirk" not in str(list(AuditEvent.objects.values_list("detail", "subject", "target")))


def test_without_the_number_of_the_call_nobody_is_looked_up_before_a_name_is_typed(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    submission = from_json(delivery.payload, CallSubmission)
    entry = replace(submission.entry, contact=replace(submission.entry.contact, phone=""))
    delivery.replace_change(replace(submission, entry=entry))
    Delivery.objects.update(state="person", last_error=ReferenceGone.__name__)
    address = f"/admin/desk/contact/{delivery.pk}/"
    page = _plain(client.get(address))
    assert "The number of the call is not known here: type the contact's name." in page
    assert "Nobody was found" not in page
    assert not AuditEvent.objects.filter(action="contact.find").exists()
    crm.named = [Contact(id="c-8", name="Bob", type="Contact")]
    assert "Bob Contact c-8" in _plain(client.get(address, {"q": "Bob"}))


def test_nobody_is_taken_whom_the_crm_did_not_show(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    Delivery.objects.update(state="person", last_error=ReferenceGone.__name__)
    told = _plain(client.post(f"/admin/desk/contact/{delivery.pk}/", {"contact": "Lead c-7"}))
    assert "That contact is not among those found now: nothing was changed." in told
    assert CallLog.objects.get().contact_id == "c-1"


# --- users -----------------------------------------------------------------------------------------


def test_users_are_signed_out_and_forgotten_contacts_counted(client, staff, crm, user):
    gone = CrmUserFactory()
    CrmUser.objects.filter(pk=gone.pk).update(access_token="")
    ContactMatch.objects.create(user=user, key="k", result={}, fetched_at=timezone.now())
    page = _ask(client, "sign-out", user, gone)
    assert "1 will be signed out. 1 is signed out already." in page
    assert "what waits for the CRM waits for their next login" in page
    assert "The cached contacts of 1 user have been forgotten. 1 had nothing cached." in _plain(
        _confirm(client, "forget-contacts", user, gone)
    )
    assert not ContactMatch.objects.exists()
    assert "1 was signed out. 1 was signed out already." in _plain(_confirm(client, "sign-out", user, gone))
    assert not CrmUser.objects.get(pk=user.pk).is_connected
    assert AuditEvent.objects.get(action="session.disconnect").actor == "staff:lee"


# --- who, and who may ------------------------------------------------------------------------------


def test_a_decision_is_in_the_history_of_its_call_and_among_recent_actions(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "1")
    _confirm(client, "give-up", delivery)
    log = CallLog.objects.get()
    assert "Give up: given up." in _plain(client.get(f"/admin/audit/calllog/{log.pk}/history/"))
    assert "call 1 – Give up: given up." in _plain(client.get("/admin/"))
    entry = LogEntry.objects.get()
    assert (entry.user.username, entry.object_id) == ("lee", str(log.pk))


def test_a_recent_action_leads_to_the_page_of_what_it_was_about(client, staff, crm, user):
    (delivery,) = _kept(client, crm, user, "770")
    _confirm(staff, "give-up", delivery)
    page = staff.get("/admin/").content.decode()
    (address,) = re.findall(r'<a href="([^"]+)">call 770</a>', page)
    reply = staff.get(address, follow=True)
    assert reply.redirect_chain[-1][0] == f"/admin/desk/call/{delivery.call_log_id}/"


@pytest.mark.parametrize("role", [SUPPORT_VIEW, AUDITOR])
def test_who_may_not_act_neither_sees_nor_does_it(client, crm, user, role):
    (delivery,) = _kept(client, crm, user, "1")
    signed_in(client, role)
    for key in decision_page.DECISIONS:
        assert client.get(f"/admin/desk/decide/{key}/?ids={delivery.pk}").status_code == 403
        assert client.post(f"/admin/desk/decide/{key}/", {"confirmed": "y", "ids": delivery.pk}).status_code == 403
    for path in ("mark", "contact"):
        assert client.get(f"/admin/desk/{path}/{delivery.pk}/").status_code == 403
    page = client.get(f"/admin/desk/call/{delivery.call_log_id}/").content.decode()
    assert "Give up" not in page
    assert "/desk/decide/" not in page
    assert "Whoever has the role <em>Support (act)</em> decides about it." in page


def test_strange_requests_do_nothing(client, staff):
    assert client.get("/admin/desk/decide/nothing/").status_code == 404
    assert client.get("/admin/desk/decide/give-up/?ids=x").status_code == 404
    assert "Nothing was chosen" in _plain(client.get("/admin/desk/decide/give-up/"))
    page = client.get("/admin/desk/decide/give-up/?next=https://elsewhere.example/").content.decode()
    assert "elsewhere" not in page


def test_neither_pages_nor_trail_exports_and_log_lines_tell_number_name_note_or_token(client, staff, crm, user, caplog):
    caplog.set_level(logging.DEBUG)
    secrets = ("4155550133", "555-0133", "Quirk", "a note", "demo-key")
    shown = ""
    for key in ("send-now", "hand-back", "give-up"):
        (delivery,) = _kept(client, crm, user, key)
        shown += client.get(f"/admin/desk/decide/{key}/?ids={delivery.pk}").content.decode()
        shown += _confirm(client, key, delivery).content.decode()
        if remaining := Delivery.objects.filter(call_log__session_id=key).first():
            crm.record = FITS
            shown += client.get(f"/admin/desk/mark/{remaining.pk}/").content.decode()
            shown += client.post(f"/admin/desk/mark/{remaining.pk}/", {"crm_id": f"id-{key}"}).content.decode()
    draft = ContactDraft(name="Quirk +1 415-555-0133", phone=parse_phone("+14155550133"), type="Contact")
    placeholder_contacts.note(user, draft, Contact(id="c-9", name=draft.name, type="Contact"))
    pages = (
        "",
        "desk/contacts/",
        "desk/crms/",
        "desk/crms/testCRM/",
        "desk/queue/?platform=testCRM",
        "audit/auditevent/",
    )
    for address in (*pages, f"desk/user/{user.pk}/", "desk/search/?q=0133", "audit/calllog/", "deliveries/delivery/"):
        reply = client.get(f"/admin/{address}", follow=True)
        assert reply.status_code == 200, address
        shown += reply.content.decode()
    assert "c-9" in shown
    seal_all()
    auditor = signed_in(client, AUDITOR)
    for name in ("csv", "jsonl"):
        shown += b"".join(auditor.post("/admin/desk/export/", {"format": name}).streaming_content).decode()
    for name in ("csv", "jsonl"):
        out = io.StringIO()
        call_command("export_audit", "--format", name, stdout=out, stderr=io.StringIO())
        assert "delivery.decide" in out.getvalue()
        shown += out.getvalue()
    shown += str(list(LogEntry.objects.values())) + str(list(TrafficHour.objects.values())) + caplog.text
    shown += " ".join(str(vars(record)) for record in caplog.records)
    assert [secret for secret in secrets if secret in shown] == []
