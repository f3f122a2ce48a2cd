"""What fixtures cannot say: media that become documents, and new messages that join a body."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from adapters.clio.adapter import Adapter
from adapters.clio.time_entries import is_non_billable
from adapters.clio.timezones import iana_name
from adapters.contract import (
    AccountCache,
    AdapterContext,
    Assignee,
    Attachment,
    CallLogChange,
    CallLogEntry,
    ContactDraft,
    ContactRef,
    Credentials,
    CredentialsRejected,
    CrmUnavailable,
    Direction,
    HttpClient,
    LoggedCall,
    LogRef,
    LogResult,
    Manifest,
    Message,
    MessageKind,
    MessageLogChange,
    MessageLogEntry,
    Options,
    Party,
    RequestRejected,
    UnexpectedResponse,
    UserProfile,
    parse_phone,
)

API = "https://app.clio.com/api/v4"
FAX_URL = "https://media.ringcentral.com/restapi/v1.0/fax/1?access_token=rc-secret"
IMAGE_URL = "https://media.ringcentral.com/restapi/v1.0/mms/2?access_token=rc-secret"
PUT_URL = "https://clio-documents.s3.amazonaws.com/upload/9"
CONTACT = ContactRef(id="7001", type="Person", name="Pia Ostrow", phone="+16505550112")
SENT_AT = datetime(2026, 1, 16, 2, 5, tzinfo=UTC)
MANIFEST = Manifest.parse((Path(__file__).parent / "manifest.json").read_text())


class NoCache(AccountCache):
    """A cache that keeps nothing."""

    def get(self, key, *, max_age):
        return None

    def get_stale(self, key):
        return None

    def put(self, key, value):
        pass

    def forget(self, key):
        pass


def clio(hostname="app.clio.com", **options):
    context = AdapterContext(
        manifest=MANIFEST,
        user=UserProfile(id="345001", name="Dana Whitlock", timezone="America/Los_Angeles", hostname=hostname),
        credentials=Credentials(access_token="clio-token-1", hostname=hostname),
        options=Options(values=options),
        secrets={},
        cache=NoCache(),
    )
    http = HttpClient(
        base_url=Adapter.base_url(context),
        hosts=MANIFEST.server.hosts,
        headers=Adapter.auth_headers(context),
        upload_hosts=MANIFEST.server.upload_hosts,
    )
    return Adapter(http=http, context=context)


PICTURE = Attachment(content_type="image/png", link="https://reader.example/2", download_url=IMAGE_URL)
FILM = Attachment(content_type="video/mp4", link="https://reader.example/3")


def message(**values):
    plain = {"id": "m1", "kind": MessageKind.SMS, "direction": Direction.INBOUND, "sent_at": SENT_AT}
    return Message(**{**plain, **values})


def text_of(messages):
    links = ((one.text, one.fax_link, *(file.link for file in one.attachments)) for one in messages)
    worded = ((one.wording,) if one.wording else parts for one, parts in zip(messages, links, strict=True))
    return "\n".join(part for parts in worded for part in parts if part)


def entry(*messages, **values):
    return MessageLogEntry(
        conversation_log_id="c-77-day",
        contact=CONTACT,
        messages=messages,
        subject=values.pop("subject", "Conversation"),
        body=text_of(messages),
        compose=text_of,
        started_at=SENT_AT,
        ended_at=SENT_AT,
        **values,
    )


@pytest.fixture
def vendor():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def accept_documents(vendor, *, fully_uploaded=True):
    version = {"uuid": "u-1", "put_url": PUT_URL, "put_headers": [{"name": "x-amz-acl", "value": "private"}]}
    vendor.post(f"{API}/documents.json", status=201, json={"data": {"id": 660, "latest_document_version": version}})
    vendor.put(PUT_URL, status=200)
    done = {"id": 660, "latest_document_version": {"fully_uploaded": fully_uploaded}}
    vendor.patch(f"{API}/documents/660.json", json={"data": done})
    vendor.post(f"{API}/communications.json", status=201, json={"data": {"id": 9001}})


def sent(vendor, method, path):
    """The JSON bodies sent to a path."""
    calls = [call.request for call in vendor.calls]
    return [
        json.loads(request.body)["data"]
        for request in calls
        if request.method == method and urlsplit(request.url).path.endswith(path)
    ]


def fax():
    return message(
        kind=MessageKind.FAX,
        fax_link="https://ringcentral.example/fax/1",
        fax_download_url=FAX_URL,
        status="Received",
        fax_page_count=3,
        sender=Party(location="Fresno, CA"),
    )


def test_a_fax_becomes_a_document_of_the_contact_and_the_log_links_to_it(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"%PDF", content_type="application/pdf")
    accept_documents(vendor)
    clio().create_message_log(entry(fax()))
    (document,) = sent(vendor, "POST", "documents.json")
    wanted = [call.request.params["fields"] for call in vendor.calls if "/documents" in call.request.url]
    assert wanted == [  # Clio names nothing that is not asked for
        "id,latest_document_version{uuid,put_url,put_headers}",
        "id,latest_document_version{fully_uploaded}",
    ]
    assert document["name"] == "Inbound Fax - Pia Ostrow - 01/15/2026.pdf"
    assert document["parent"] == {"id": 7001, "type": "Contact"}
    assert document["received_at"] == "2026-01-16T02:05:00.000Z"
    assert sent(vendor, "PATCH", "documents/660.json") == [{"uuid": "u-1", "fully_uploaded": True}]
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["body"].startswith("Fax uploaded to Clio successfully.\nFax Status: Received\nPage count: 3\n")
    assert "https://app.clio.com/nc/#/documents/660/details\nLocation: Fresno, CA" in log["body"]


@pytest.mark.parametrize(("recipients", "location"), [((Party(location="Reno, NV"),), "Reno, NV"), ((), "")])
def test_a_fax_that_was_sent_names_where_it_went(vendor, recipients, location):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"%PDF", content_type="application/pdf")
    accept_documents(vendor)
    clio().create_message_log(entry(replace(fax(), direction=Direction.OUTBOUND, recipients=recipients)))
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["body"].endswith(f"\nLocation: {location}")
    assert log["senders"] == [{"id": 345001, "type": "User"}]


def test_an_upload_carries_the_signed_headers_and_no_login(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"%PDF", content_type="application/pdf")
    accept_documents(vendor)
    clio().create_message_log(entry(fax()))
    (upload,) = [call.request for call in vendor.calls if call.request.method == "PUT"]
    assert upload.headers["x-amz-acl"] == "private"
    assert "Authorization" not in upload.headers
    download = next(call.request for call in vendor.calls if "ringcentral" in call.request.url)
    assert "Authorization" not in download.headers


def test_a_picture_is_filed_under_the_chosen_matter(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"png", content_type="image/png")
    accept_documents(vendor)
    picture = message(attachments=(PICTURE,))
    clio().create_message_log(entry(picture, submission={"matters": 801}))
    (document,) = sent(vendor, "POST", "documents.json")
    assert document["name"] == "Inbound Image Message - Pia Ostrow - 01/15/2026.png"
    assert document["parent"] == {"id": 801, "type": "Matter"}
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["body"] == "[Message]: N/A\n[Link]: https://app.clio.com/nc/#/documents/660/details"


def test_a_picture_is_filed_under_the_contact_where_the_matter_is_gone(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"png", content_type="image/png")
    refusal = {"error": {"type": "RecordNotFound", "message": "The requested matter could not be found."}}
    vendor.post(f"{API}/documents.json", status=404, json=refusal)
    vendor.post(f"{API}/communications.json", status=404, json=refusal)
    accept_documents(vendor)
    picture = message(attachments=(PICTURE,))

    result = clio().create_message_log(entry(picture, submission={"matters": 801}))

    assert [document["parent"] for document in sent(vendor, "POST", "documents.json")] == [
        {"id": 801, "type": "Matter"},
        {"id": 7001, "type": "Contact"},
    ]
    _, log = sent(vendor, "POST", "communications.json")
    assert log["body"] == "[Message]: N/A\n[Link]: https://app.clio.com/nc/#/documents/660/details"
    assert "matter" not in log
    assert result.gone == ("matter",)


@pytest.mark.parametrize("fully_uploaded", [False, None])
def test_a_failed_upload_leaves_a_link_without_any_token(vendor, fully_uploaded):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"png", content_type="image/png")
    accept_documents(vendor, fully_uploaded=fully_uploaded)
    picture = message(text="See this", attachments=(PICTURE,))
    clio().create_message_log(entry(picture))
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["body"] == "[Message]: See this\n[Link - failed to upload]: https://reader.example/2"
    assert "rc-secret" not in log["body"]


def test_a_fax_that_cannot_be_fetched_is_logged_all_the_same(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), status=403)
    accept_documents(vendor)
    clio().create_message_log(entry(fax(), subject="Fax document sent from Pia Ostrow - 01/15/2026"))
    outgoing_fax = replace(fax(), direction=Direction.OUTBOUND)
    clio().create_message_log(entry(outgoing_fax, subject="Fax document sent to Pia Ostrow - 01/15/2026"))
    log, outgoing = sent(vendor, "POST", "communications.json")
    failed = "Fax failed to be uploaded to Clio.\nFax document link: https://ringcentral.example/fax/1"
    assert log["body"] == failed
    assert log["subject"] == "Fax document sent from Pia Ostrow - 26/01/15"
    assert outgoing["subject"] == "Fax document sent to Pia Ostrow - 26/01/15"


def test_a_login_that_expired_before_the_upload_is_reported_before_anything_is_logged(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"png", content_type="image/png")
    vendor.post(f"{API}/documents.json", status=401, json={"error": "invalid_token"})
    with pytest.raises(CredentialsRejected):
        clio().create_message_log(entry(message(attachments=(PICTURE,))))
    assert sent(vendor, "POST", "communications.json") == []


def test_a_film_in_the_first_message_keeps_its_link(vendor):
    accept_documents(vendor)
    clio().create_message_log(entry(message(attachments=(FILM,))))
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["body"] == "[Message]: N/A\n[Link]: https://reader.example/3"


def test_a_picture_and_a_film_in_one_message_both_keep_their_links(vendor):
    accept_documents(vendor)
    clio().create_message_log(entry(message(text="Both", attachments=(replace(PICTURE, download_url=""), FILM))))
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["body"] == "[Message]: Both\n[Link]: https://reader.example/2\n[Link]: https://reader.example/3"


def test_every_file_of_a_message_becomes_a_document_in_the_order_given(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"file")
    accept_documents(vendor)
    kinds = ["image/jpeg", "image/png", "application/pdf", "text/vcard", "audio/amr", "video/3gpp", ""]
    files = tuple(replace(PICTURE, content_type=kind, link=f"https://reader.example/{kind}") for kind in kinds)
    foreign = Attachment(content_type="text/calendar")
    clio().create_message_log(entry(message(text="All of it", attachments=(*files, foreign))))
    names = [document["name"].split(" - ")[0] for document in sent(vendor, "POST", "documents.json")]
    assert sorted(names) == [
        "Inbound Audio Message 5", "Inbound File 3", "Inbound File 4", "Inbound File 7", "Inbound Image Message",
        "Inbound Image Message 2", "Inbound Video Message 6",
    ]  # fmt: skip
    endings = sorted(document["name"].rpartition(".")[2] for document in sent(vendor, "POST", "documents.json"))
    assert endings == ["3gp", "amr", "bin", "jpeg", "pdf", "png", "vcf"]
    (log,) = sent(vendor, "POST", "communications.json")
    page = "[Link]: https://app.clio.com/nc/#/documents/660/details"
    assert log["body"] == "\n".join(["[Message]: All of it", *[page] * 7, "[Attachment: text/calendar]"])


def test_a_file_that_can_neither_be_kept_nor_shown_is_named(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), status=404)
    accept_documents(vendor)
    clio().create_message_log(entry(message(attachments=(replace(PICTURE, link=""),))))
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["body"] == "[Message]: N/A\n[Attachment: image/png] (failed to upload)"


def test_a_fax_of_several_documents_keeps_each(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"%PDF")
    accept_documents(vendor)
    clio().create_message_log(entry(replace(fax(), attachments=(replace(PICTURE, content_type="application/pdf"),))))
    names = sorted(document["name"] for document in sent(vendor, "POST", "documents.json"))
    assert [name.split(" - ")[0] for name in names] == ["Inbound Fax", "Inbound File 2"]
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["body"].count("/documents/660/details") == 2


def test_a_fax_that_joins_a_day_brings_its_status_and_its_link(vendor):
    vendor.get(re.compile(r"https://media\.ringcentral\.com/.*"), body=b"%PDF", content_type="application/pdf")
    accept_documents(vendor)
    vendor.get(f"{API}/communications/9001.json", json={"data": {"id": 9001, "body": "Day"}})
    vendor.patch(f"{API}/communications/9001.json", json={"data": {"id": 9001}})
    change = MessageLogChange(
        contact=CONTACT,
        messages=(fax(),),
        append=lambda body, messages: f"{body}\n{text_of(messages)}",
        ended_at=SENT_AT,
    )
    clio().update_message_log(LogRef(log_id="9001"), change)
    (log,) = sent(vendor, "PATCH", "communications/9001.json")
    assert log["body"] == (
        "Day\nFax uploaded to Clio successfully.\nFax Status: Received\nPage count: 3\n"
        "Fax document link: https://app.clio.com/nc/#/documents/660/details\nLocation: Fresno, CA"
    )


def test_all_new_messages_of_a_day_go_out_in_one_read_and_one_write(vendor):
    vendor.get(f"{API}/communications/9001.json", json={"data": {"id": 9001, "body": "As edited by hand"}})
    vendor.patch(f"{API}/communications/9001.json", json={"data": {"id": 9001}})
    change = MessageLogChange(
        contact=CONTACT,
        messages=(message(id="m2", text="One"), message(id="m3", text="Two")),
        append=lambda body, messages: f"{body}\n{text_of(messages)}",
        ended_at=SENT_AT,
    )
    clio().update_message_log(LogRef(log_id="9001"), change)
    assert sent(vendor, "PATCH", "communications/9001.json") == [{"body": "As edited by hand\nOne\nTwo"}]
    assert len(vendor.calls) == 2


def test_each_sent_message_of_an_update_is_billed_and_received_ones_are_not(vendor):
    vendor.get(f"{API}/communications/9001.json", json={"data": {"id": 9001, "body": "Day"}})
    vendor.patch(f"{API}/communications/9001.json", json={"data": {"id": 9001}})
    vendor.post(f"{API}/activities.json", status=201, json={"data": {"id": 1}})
    reply = message(id="m3", text="Two", direction=Direction.OUTBOUND, typing_duration_ms=90500)
    change = MessageLogChange(
        contact=CONTACT,
        messages=(message(id="m2", text="One"), reply, replace(reply, id="m4", typing_duration_ms=0)),
        append=lambda body, messages: f"{body}\n{text_of(messages)}",
        ended_at=SENT_AT,
    )
    clio(smsTimeTrackingEnabled="true").update_message_log(LogRef(log_id="9001"), change)
    assert sorted(row["quantity"] for row in sent(vendor, "POST", "activities.json")) == [30, 91]


@pytest.mark.parametrize(
    ("note", "created"),
    [("SMS message with Pia Ostrow sent on 01/15/2026 at 18:05:00", 0), ("Written by hand", 1)],
)
def test_messages_found_again_get_the_time_entries_they_lack_and_no_second_ones(vendor, note, created):
    vendor.get(f"{API}/communications/9001.json", json={"data": {"id": 9001, "body": "Day\nTwo"}})
    vendor.get(f"{API}/activities.json", json={"data": [{"id": 5001, "note": note}]})
    vendor.post(f"{API}/activities.json", status=201, json={"data": {"id": 5002}})
    change = MessageLogChange(
        contact=CONTACT,
        messages=(message(text="Two", direction=Direction.OUTBOUND),),
        append=lambda body, messages: body,  # they stand there already
        ended_at=SENT_AT,
    )
    clio(smsTimeTrackingEnabled=True).update_message_log(LogRef(log_id="9001"), change)
    assert len(sent(vendor, "POST", "activities.json")) == created
    asked = parse_qs(urlsplit(vendor.calls[1].request.url).query)
    assert asked == {"communication_id": ["9001"], "fields": ["id,note"]}


def test_media_of_messages_found_again_are_not_put_into_clio_a_second_time(vendor):
    vendor.get(f"{API}/communications/9001.json", json={"data": {"id": 9001, "body": "Day"}})
    change = MessageLogChange(contact=CONTACT, messages=(fax(),), append=lambda body, messages: body, ended_at=SENT_AT)
    assert clio().update_message_log(LogRef(log_id="9001"), change) == LogResult(log_id=9001)
    assert len(vendor.calls) == 1


@pytest.mark.parametrize(("entries", "created"), [([], 1), ([{"id": 5001, "quantity": 125}], 0)])
def test_a_call_found_again_gets_the_time_entry_it_lacks_and_no_second_one(vendor, entries, created):
    vendor.get(f"{API}/activities.json", json={"data": entries})
    vendor.post(f"{API}/activities.json", status=201, json={"data": {"id": 5001}})
    call = CallLogEntry(
        session_id="s1",
        direction=Direction.INBOUND,
        contact=CONTACT,
        started_at=SENT_AT,
        duration=125,
        body="- Note: x",
    )
    assert clio().complete_call_log(9001, call) == LogResult(log_id=9001)
    assert [row["quantity"] for row in sent(vendor, "POST", "activities.json")] == [125] * created


def test_a_time_entry_made_up_in_an_edit_follows_the_form(vendor):
    vendor.get(f"{API}/activities.json", json={"data": []})
    vendor.post(f"{API}/activities.json", status=201, json={"data": {"id": 5001}})
    current = LoggedCall(body="- Note: x", started_at=SENT_AT, dispositions={"matters": 801})
    chosen = {"matters": 802, "billableStatus": "non-billable"}
    clio().update_call_log(LogRef(log_id="9001"), CallLogChange(duration=9, submission=chosen, current=current))
    (made,) = sent(vendor, "POST", "activities.json")
    assert (made["matter"], made["non_billable"], made["quantity"]) == ({"id": 802}, True, 9)


def test_an_edit_for_a_colleague_dates_the_time_entry_in_their_zone(vendor):
    vendor.patch(f"{API}/communications/9001.json", json={"data": {"id": 9001}})
    vendor.get(f"{API}/activities.json", json={"data": []})
    vendor.get(f"{API}/activities.json", json={"data": [{"id": 5001, "quantity": 9}]})
    vendor.post(f"{API}/activities.json", status=201, json={"data": {"id": 5001}})
    vendor.patch(f"{API}/activities/5001.json", json={"data": {"id": 5001}})
    kim = Assignee(user_id="345002", profile=UserProfile(id="345002", name="Kim Ito", timezone="Australia/Sydney"))
    change = CallLogChange(duration=9, started_at=SENT_AT, assignee=kim, current=LoggedCall(body="- Note: x"))
    clio().update_call_log(LogRef(log_id="9001"), change)
    clio().update_call_log(LogRef(log_id="9001"), change)
    assert [row["date"] for row in sent(vendor, "POST", "activities.json")] == ["2026-01-16"]
    assert [row["date"] for row in sent(vendor, "PATCH", "activities/5001.json")] == ["2026-01-16"]


def test_messages_are_not_billed_unless_the_user_wants_it(vendor):
    vendor.post(f"{API}/communications.json", status=201, json={"data": {"id": 9001}})
    clio().create_message_log(entry(message(text="Two", direction=Direction.OUTBOUND)))
    assert len(vendor.calls) == 1


def test_a_call_without_the_contacts_number_is_titled_with_the_other_partys(vendor):
    vendor.post(f"{API}/communications.json", status=201, json={"data": {"id": 9001}})
    ends = {"caller": Party(phone_number="+16505550112"), "callee": Party(phone_number="+16505550100")}
    for direction in (Direction.INBOUND, Direction.OUTBOUND):
        call = CallLogEntry(
            session_id="s1", direction=direction, contact=replace(CONTACT, phone=""), started_at=SENT_AT, **ends
        )
        clio(clioTimeEntriesEnabled=False).create_call_log(call)
    assert [log["subject"] for log in sent(vendor, "POST", "communications.json")] == [
        "[Call] Inbound Call from Pia Ostrow [+16505550112]",
        "[Call] Outbound Call to Pia Ostrow [+16505550100]",
    ]


@pytest.mark.parametrize(("raw", "numbers"), [("+1 555", ["+1 555"]), ("", [])])
def test_a_number_that_is_none_is_stored_as_it_came_and_no_number_not_at_all(vendor, raw, numbers):
    vendor.post(f"{API}/contacts.json", status=201, json={"data": {"id": 7001}})
    clio().create_contact(ContactDraft(name="Pia Ostrow", phone=parse_phone(raw)))
    (contact,) = sent(vendor, "POST", "contacts.json")
    assert [row["number"] for row in contact.get("phone_numbers", [])] == numbers


def test_a_log_outside_any_matter_has_nothing_chosen(vendor):
    vendor.get(f"{API}/communications/9001.json", json={"data": {"id": 9001, "body": "", "matter": None}})
    assert clio().get_call_log(LogRef(log_id="9001.1")).dispositions == {}  # ids of old logs may have a suffix


def test_only_a_field_that_clio_does_not_know_is_asked_without(vendor):
    who = re.compile(rf"{API}/users/who_am_i.json.*")
    vendor.get(who, status=422, json={"error": {"type": "UnprocessableEntity", "message": "no"}})
    with pytest.raises(RequestRejected):
        clio().user_profile()
    assert len(vendor.calls) == 1


def test_a_list_that_is_none_is_not_taken_for_nobody_found(vendor):
    vendor.get(f"{API}/contacts.json", json={})
    with pytest.raises(UnexpectedResponse):
        clio().find_contacts_by_name("Pia")


def test_a_log_that_has_no_user_is_left_without_one(vendor):
    people = {"senders": [{"id": 7001, "type": "Person"}], "receivers": []}
    change = CallLogChange(assignee=Assignee(user_id="345002"), current=LoggedCall(body="- Note: x", raw=people))
    assert clio().update_call_log(LogRef(log_id="9001"), change) == LogResult(log_id=9001)
    assert len(vendor.calls) == 0


def test_time_entries_that_are_switched_off_are_not_asked_for_either(vendor):
    call = CallLogEntry(session_id="s1", direction=Direction.INBOUND, contact=CONTACT, started_at=SENT_AT)
    assert clio(clioTimeEntriesEnabled="False").complete_call_log(9001, call) == LogResult(log_id=9001)
    assert len(vendor.calls) == 0


def test_an_answer_not_understood_before_the_write_leaves_no_doubt_about_the_write(vendor):
    vendor.get(f"{API}/communications/9001.json", json={"data": []})
    change = MessageLogChange(contact=CONTACT, messages=(message(text="One"),), ended_at=SENT_AT)
    with pytest.raises(CrmUnavailable) as raised:
        clio().update_message_log(LogRef(log_id="9001"), change)
    assert raised.value.maybe_applied is False


def test_a_title_or_marker_too_long_for_clio_is_cut_and_the_log_found_all_the_same(vendor):
    vendor.post(f"{API}/communications.json", status=201, json={"data": {"id": 9001}})
    vendor.get(f"{API}/communications.json", json={"data": []})
    vendor.patch(f"{API}/communications/9001.json", json={"data": {"id": 9001}})
    day = replace(entry(message(text="One")), subject="x" * 300, conversation_log_id="c" * 190 + "/2026-01-16")
    clio().create_message_log(day)
    clio().find_message_log(day.as_marker())
    (log,) = sent(vendor, "POST", "communications.json")
    assert log["subject"] == "x" * 255
    asked = parse_qs(urlsplit(vendor.calls[-1].request.url).query)["external_property_value"]
    assert [log["external_properties"][0]["value"]] == asked
    assert len(asked[0]) <= 100
    current = LoggedCall(subject="y" * 255, body="- Note: x")
    for subject, patches in (("y" * 300, []), ("z" * 300, [{"subject": "z" * 255}])):
        clio().update_call_log(LogRef(log_id="9001"), CallLogChange(subject=subject, current=current))
        assert sent(vendor, "PATCH", "communications/9001.json") == patches


@pytest.mark.parametrize("search", ["phone", "name"])
def test_many_hits_are_cut_before_their_matters_use_the_minute_up(vendor, search):
    rows = [
        {"id": n, "type": "Person", "name": "Pia", "phone_numbers": [{"number": "+16505550112"}]} for n in range(1, 31)
    ]
    vendor.get(re.compile(rf"{API}/contacts.json.*"), json={"data": rows})
    vendor.get(re.compile(rf"{API}/(matters|relationships).json.*"), json={"data": []})
    adapter = clio()
    found = (
        adapter.find_contacts(parse_phone("+16505550112"))
        if search == "phone"
        else adapter.find_contacts_by_name("Pia")
    )
    assert len(found.contacts) == 20
    assert len(vendor.calls) == 41
    if search == "phone":  # for support: a message would keep the result from being cached
        left_out = [(hit.id, hit.reason) for hit in found.dropped]
        assert left_out == [(n, "only the first 20 contacts are shown") for n in range(21, 31)]
    else:
        assert found.notice
        assert "Only the first 20 contacts are shown" in found.notice.message


def test_no_time_entry_is_touched_where_they_are_switched_off(vendor):
    change = CallLogChange(duration=200, current=LoggedCall(body="- Note: x"))
    assert clio(clioTimeEntriesEnabled="FALSE").update_call_log(LogRef(log_id="9001"), change).notice is None
    assert len(vendor.calls) == 0


def test_a_token_is_never_sent_to_a_host_that_is_not_clios(vendor):
    adapter = clio("clio.example.net")
    assert "Authorization" not in adapter.auth_headers(adapter.context)
    with pytest.raises(RequestRejected):
        adapter.user_profile()
    assert len(vendor.calls) == 0


@pytest.mark.parametrize(
    ("submission", "setting", "expected"),
    [
        ({}, None, False),
        ({}, "billable", False),
        ({}, "non-billable", True),
        ({}, True, True),
        ({"billableStatus": "none"}, "non-billable", True),
        ({"billableStatus": "billable"}, "non-billable", False),
        ({"nonBillable": True, "billableStatus": "billable"}, "billable", True),
    ],
)
def test_the_form_decides_what_is_billable_then_the_setting(submission, setting, expected):
    options = Options(values={} if setting is None else {"clioDefaultNonBillableTick": setting})
    assert is_non_billable(submission, options) is expected


def test_zone_names_of_both_kinds_are_understood():
    assert iana_name("Kathmandu") == "Asia/Kathmandu"
    assert iana_name("Europe/Berlin") == "Europe/Berlin"
    assert iana_name("Atlantis") == ""


def test_a_refusal_shows_the_vendors_words_without_the_number_in_them(vendor):
    refusal = {"error": {"type": "UnprocessableEntity", "message": "Number +16505550112 is not accepted"}}
    vendor.patch(f"{API}/communications/9001.json", status=422, json=refusal)
    change = MessageLogChange(contact=CONTACT, is_shared=True, body="Whole conversation", ended_at=SENT_AT)
    with pytest.raises(RequestRejected) as raised:
        clio().update_message_log(LogRef(log_id="9001"), change)
    assert "is not accepted" in raised.value.reason
    assert "5550112" not in raised.value.reason
