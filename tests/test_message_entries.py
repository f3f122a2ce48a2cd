"""Who said what, when, with which files, and whether it arrived: as it stands in the record of a conversation day."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import pytest

from adapters.contract import LogFormat
from audit.models import ConversationLog, MessageLog
from tests.remembering import remembering

pytestmark = pytest.mark.django_db

FORMATS = [LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN]
INES, THEO = "+14155550123", "+14155550144"
PEOPLE = [{"phoneNumber": INES, "name": "Ines Pardo"}, {"phoneNumber": THEO, "name": "Theo Brandt"}]
KIM = {"phoneNumber": "+16505550100", "name": "Kim Agent"}
MEDIA = "https://media.ringcentral.com/restapi/v1.0/account/1/extension/1/message-store/401/content/"


@pytest.fixture(params=FORMATS, ids=[str(item) for item in FORMATS])
def crm(request, client, monkeypatch):
    return remembering(client, monkeypatch, request.param)


def message(number, text="", minute=40, direction="Inbound", who=INES, **members):
    ends = {"from": {"phoneNumber": who}, "to": [KIM]}
    if direction == "Outbound":
        ends = {"from": KIM, "to": [{"phoneNumber": who}]}
    return {
        "id": number,
        "type": "SMS",
        "direction": direction,
        "subject": text,
        "creationTime": f"2026-01-14T18:{minute:02d}:00.000Z",
        "lastModifiedTime": f"2026-01-14T18:{minute:02d}:00.000Z",
        "messageStatus": "Received" if direction == "Inbound" else "Sent",
        "attachments": [{"id": number, "type": "Text", "contentType": "text/plain"}],
        **ends,
        **members,
    }


def day(*messages, name="c1", people=PEOPLE[:1], contact=(41207, "Ines Pardo"), **info):
    """The body of a request; ``messages`` as the client lists them, newest first."""
    return {
        "logInfo": {
            "conversationId": name,
            "conversationLogId": f"{name}/2026-01-14",
            "type": "SMS",
            "date": "2026-01-14",
            "correspondents": people,
            "messages": list(messages),
            **info,
        },
        "additionalSubmission": {},
        "overridingFormat": [],
        "contactId": contact[0],
        "contactType": "Contact",
        "contactName": contact[1],
    }


def log(crm, *messages, **changes):
    """What a person reads in the record, line by line, without markup."""
    reply = crm.post("/messageLog", day(*messages, **changes))
    assert reply["returnMessage"]["message"] == "Message logged", reply
    (body,) = crm.bodies.values() if len(crm.bodies) == 1 else [list(crm.bodies.values())[-1]]
    return read(body)


def read(body):
    if "<br>" not in body:
        return body.replace("**", "")
    text = re.sub(r"<br>|</?li>|</?ul>", "\n", body)
    return html.unescape(re.sub(r"\n+", "\n", re.sub(r"</?b>", "", text)))


def in_order(text, *parts):
    places = [text.find(part) for part in parts]
    return -1 not in places and places == sorted(places)


# --- order ---------------------------------------------------------------------------------------


def test_parts_of_one_second_read_in_the_order_they_were_sent(crm):
    parts = [message(103, "(3/3) before Friday."), message(102, "(2/3) NOT pay"), message(101, "(1/3) You must")]
    text = log(crm, *parts)
    assert in_order(text, "(1/3)", "(2/3)", "(3/3)")
    assert MessageLog.objects.count() == 3
    assert ConversationLog.objects.count() == 1
    more = [message(107, "(2/2) b"), message(106, "(1/2) a"), message(105, "between", 39)]
    crm.post("/messageLog", day(*more, *parts))
    (body,) = crm.bodies.values()
    assert in_order(read(body), "(1/2)", "(2/2)")
    assert "Conversation(6 messages)" in body


def test_a_list_that_is_oldest_first_keeps_its_order_too(crm):
    text = log(crm, message(1, "one", 1), message(2, "two", 1), message(3, "three", 2))
    assert in_order(text, "one", "two", "three")


# --- people --------------------------------------------------------------------------------------


@pytest.mark.parametrize("contact", [(41310, "Theo Brandt"), (41207, "Ines Pardo"), (41310, "THEO  brandt")])
def test_in_a_group_each_text_stands_under_whoever_sent_it(crm, contact):
    text = log(
        crm,
        message(203, "Let me think", 42, "Outbound"),
        message(202, "No, I do not agree.", 41, who=THEO),
        message(201, "Can we sell?"),
        people=PEOPLE,
        contact=contact,
    )
    theo = contact[1] if contact[0] == 41310 else "Theo Brandt"
    assert f"Ines Pardo ({INES}) 06:40 PM\nCan we sell?" in text
    assert f"{theo} ({THEO}) 06:41 PM\nNo, I do not agree." in text
    assert "Agent Kim 06:42 PM\nLet me think" in text
    people = text.split("Participants")[1].split("Conversation(")[0]
    assert [people.count(name) for name in ("Agent Kim", "Ines Pardo", theo)] == [1, 1, 1]
    assert crm.entry.contact.phone == (THEO if contact[0] == 41310 else INES)
    assert {row.message_id for row in MessageLog.objects.all()} == {f"{n}-{contact[0]}" for n in (201, 202, 203)}


@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ({"phoneNumber": "(415) 555-0144"}, "Theo Brandt ((415) 555-0144)"),
        ({"phoneNumber": "14155550144"}, "Theo Brandt (14155550144)"),
        ({"phoneNumber": "+14155550199", "name": "WIRELESS CALLER"}, "+14155550199"),
        ({"extensionNumber": "204"}, "Ana Roe (ext 204)"),
        ({"extensionNumber": "205", "name": "Desk"}, "ext 205"),
        ({"name": "Somebody"}, "Somebody"),
        ({}, "Unknown"),
        (None, "Unknown"),
        ("x", "Unknown"),
    ],
)
def test_a_sender_is_known_by_the_number_in_any_notation_and_never_guessed(crm, sender, shown):
    people = [*PEOPLE, {"extensionNumber": "204", "name": "Ana Roe"}]
    text = log(crm, message(201, "Hello", **{"from": sender}), people=people)
    assert f"\n{shown} 06:40 PM\nHello" in text


@pytest.mark.parametrize("sender", [{"phoneNumber": INES}, {"phoneNumber": "415-555-0123"}, {}, None])
def test_with_one_correspondent_the_sender_is_the_contact(crm, sender):
    text = log(crm, message(1, "Hi", **{"from": sender}), people=[{"phoneNumber": INES}], contact=(1, "Ms. Pardo"))
    number = (sender or {}).get("phoneNumber", INES)
    assert f"Ms. Pardo ({number}) 06:40 PM\nHi" in text or "Ms. Pardo 06:40 PM\nHi" in text
    assert "Unknown" not in text


def test_participants_are_listed_once_each_however_often_they_are_named(crm):
    people = [*PEOPLE, {"phoneNumber": "4155550144", "name": "Theo B."}, {"phoneNumber": "+14155550155"}, PEOPLE[0]]
    text = log(crm, message(1, "Hi"), people=people, contact=(41310, "Theo Brandt"))
    people = text.split("Participants")[1].split("Conversation(")[0]
    assert [people.count(name) for name in ("Theo", "Ines", "Unknown")] == [1, 1, 1]


def test_where_nobody_is_named_the_contact_is_not_one_more_person(crm):
    text = log(crm, message(1, "Hi"), people=[{"phoneNumber": INES}, {"phoneNumber": THEO}], contact=(5, "Ada"))
    people = text.split("Participants")[1].split("Conversation(")[0]
    assert [people.count(name) for name in ("Agent Kim", "Ada", "Unknown")] == [1, 1, 1]
    assert f"\n{INES} 06:40 PM\nHi" in text
    assert crm.entry.contact.phone == ""


# --- what did not arrive -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("DeliveryFailed", "(not delivered)"),
        ("SendingFailed", "(sending failed)"),
        ("sendingfailed", "(sending failed)"),
        ("SENDING_FAILED", "(sending failed)"),
        ("Delivery failed", "(not delivered)"),
        ("Undelivered", "(not delivered)"),
        ("Error", "(not delivered)"),
    ],
)
def test_a_text_that_did_not_arrive_says_so(crm, status, word):
    text = log(crm, message(2, "Second", 42, "Outbound"), message(1, "Come", 40, "Outbound", messageStatus=status))
    assert f"Come\n{word}" in text
    assert text.count("(not delivered)") + text.count("(sending failed)") == 1


def test_a_text_tells_whom_of_several_it_did_not_reach(crm):
    reached, missed = (
        {"phoneNumber": INES, "messageStatus": "Sent"},
        {"phoneNumber": THEO, "messageStatus": "SendingFailed"},
    )
    several = message(1, "Come", 40, "Outbound", to=[reached, missed])
    everybody = message(2, "Do come", 41, "Outbound", to=[missed])
    text = log(crm, everybody, several)
    assert f"Come\n(not delivered to {THEO})" in text
    assert "Do come\n(sending failed)" in text


@pytest.mark.parametrize("status", ["Sent", "Delivered", "Queued", "Received", "", None, 5])
def test_other_states_leave_the_text_as_it_is(crm, status):
    text = log(crm, message(1, "Come", 40, "Outbound", messageStatus=status))
    assert re.search(r"PM\nCome\n+------------\n", text)


def _fax(**members):
    file = {"type": "RenderedDocument", "contentType": "application/pdf", "uri": f"{MEDIA}303",
            "link": "https://f.example.com/303"}  # fmt: skip
    return message(303, type="Fax", attachments=[file], **members)


def test_a_fax_that_its_recipient_did_not_get_says_so(crm):
    to = [{"phoneNumber": INES, "messageStatus": "SendingFailed", "faxErrorCode": "NoFaxMachine"}]
    crm.post("/messageLog", day(message(1, type="Fax", direction="Outbound", to=to)))
    assert next(iter(crm.titles.values())).startswith("Fax document not sent to Ines Pardo")


def test_a_fax_that_could_not_be_sent_says_so_in_title_and_body(crm):
    failed = _fax(direction="Outbound", messageStatus="SendingFailed", faxPageCount=0)
    text = log(crm, failed, type="Fax")
    assert "Fax document link: https://f.example.com/303\n(sending failed)" in text
    assert crm.entry.subject == "Fax document not sent to Ines Pardo - 26/01/14"
    assert "page" not in text


# --- files ---------------------------------------------------------------------------------------

KINDS = ["image/jpeg", "image/jpeg", "image/png", "application/pdf", "text/vcard", "audio/amr", "video/mp4"]


def _files(*kinds):
    return [
        {"id": n, "type": "MmsAttachment", "contentType": kind, "uri": f"{MEDIA}{n}?access_token=secret"}
        for n, kind in enumerate(kinds, 1)
    ]


def _link(number):
    return "https://ringcentral.github.io/ringcentral-media-reader/?media=" + quote(f"{MEDIA}{number}", safe="")


def test_every_file_leaves_a_line_in_the_order_given(crm):
    text = log(crm, message(401, "", attachments=_files(*KINDS)), rcAccessToken="rc-secret")
    links = "\n".join(f"[Link]: {_link(number)}" for number in range(1, 8))
    assert f"06:40 PM\n{links}\n" in text
    assert "secret" not in str(crm.bodies)
    text = log(crm, message(402, "Look", 41, attachments=_files(*KINDS[:2])), message(401, ""), name="c2")
    assert f"06:41 PM\nLook\n[Link]: {_link(1)}\n[Link]: {_link(2)}" in text


@pytest.mark.parametrize("kind", KINDS)
def test_one_file_alone_is_no_empty_entry(crm, kind):
    assert f"06:40 PM\n[Link]: {_link(1)}\n" in log(crm, message(1, "", attachments=_files(kind)))


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ({"type": "MmsAttachment", "contentType": "text/vcard"}, "[Attachment: text/vcard]"),
        ({"type": "MmsAttachment", "contentType": "image/gif", "uri": "https://x.example"}, "[Attachment: image/gif]"),
        ({"type": "MmsAttachment", "contentType": "image/gif", "uri": 5}, "[Attachment: image/gif]"),
        ({"type": "MmsAttachment", "uri": f"{MEDIA}1"}, f"[Link]: {_link(1)}"),
        ({"type": "MmsAttachment", "contentType": ["x"]}, "[Attachment: MmsAttachment]"),
        ({}, "[Attachment: file]"),
    ],
)  # fmt: skip
def test_a_file_without_an_address_of_ringcentrals_is_named(crm, file, line):
    assert f"06:40 PM\n{line}\n" in log(crm, message(1, "", attachments=[file, None, "x"]))


@pytest.mark.parametrize("attachments", [None, [], "x", [None], [{"type": "Text", "contentType": "text/plain"}]])
def test_a_message_of_nothing_says_so(crm, attachments):
    assert "06:40 PM\n(no text)\n" in log(crm, message(1, " ", attachments=attachments))


# --- voicemails and faxes ------------------------------------------------------------------------


def _voicemail(number=801, minute=40, **members):
    file = {"id": 1, "type": "AudioRecording", "contentType": "audio/mpeg", "uri": f"{MEDIA}1", "vmDuration": 21}
    return message(number, minute=minute, **{"type": "VoiceMail", "attachments": [file], **members})


@pytest.mark.parametrize("kind", ["VoiceMail", "Voicemail", "voicemail", "", None])
def test_a_voicemail_is_told_by_its_type_and_its_link_made_from_the_address(crm, kind):
    text = log(crm, _voicemail(type=kind), type="VoiceMail")
    assert f"Voicemail recording link: {_link(1)} " in text
    assert crm.entry.subject == "Voicemail left by Ines Pardo - 26/01/14"


def test_a_voicemails_own_link_comes_first_and_the_words_stand_below_it(crm):
    own = {"type": "AudioRecording", "link": "https://v.example.com/1?token=abc", "uri": f"{MEDIA}1"}
    spoken = {"type": "AudioTranscription", "contentType": "text/plain", "uri": f"{MEDIA}2"}
    text = log(crm, _voicemail(subject="Hi it is Pat,\ncall me back", attachments=[own, spoken]))
    assert "Voicemail recording link: https://v.example.com/1\nTranscription: Hi it is Pat,\ncall me back \n" in text
    assert "[Link]" not in text


@pytest.mark.parametrize("attachments", [[], None, "x", [{"type": "Text"}]])
def test_a_voicemail_without_a_recording_says_so(crm, attachments):
    text = log(crm, _voicemail(subject="Call me", attachments=attachments))
    assert "Voicemail recording link: (no recording)\nTranscription: Call me" in text
    assert crm.entry.subject.startswith("Voicemail left by")


def test_a_recording_at_somebody_elses_is_named_and_not_linked(crm):
    text = log(
        crm, _voicemail(attachments=[{"type": "AudioRecording", "contentType": "audio/mpeg", "uri": "http://x.y"}])
    )
    assert "Voicemail recording link: (no recording)\n[Attachment: audio/mpeg]" in text


@pytest.mark.parametrize(
    ("count", "shown"),
    [(12, " (12 pages)"), (1, " (1 page)"), ("12", " (12 pages)"), *((odd, "") for odd in (0, None, -3, "many", [2]))],
)
def test_a_fax_has_its_link_and_its_pages(crm, count, shown):
    file = {"type": "RenderedDocument", "contentType": "application/pdf", "uri": f"{MEDIA}1"}
    text = log(crm, message(1, type="Fax", attachments=[file], faxPageCount=count), type="Fax")
    assert f"Fax document link: {_link(1)}{shown} \n" in text
    assert crm.entry.subject == "Fax document sent from Ines Pardo - 26/01/14"


def test_voicemails_and_faxes_that_join_a_day_say_the_same(crm):
    text = log(crm, _voicemail(3, 42, attachments=[]), _fax(minute=41, faxPageCount=2), message(1, "Hello"))
    assert f"Ines Pardo ({INES}) 06:42 PM\nVoicemail recording link: (no recording)" in text
    assert f"Ines Pardo ({INES}) 06:41 PM\nFax document link: https://f.example.com/303 (2 pages)" in text
    assert "Conversation(3 messages)" in text


# --- what cannot be read -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "odd", [{"id": None}, {"direction": "Sideways"}, {"creationTime": "x", "lastModifiedTime": "y"}]
)
def test_a_message_that_cannot_be_read_costs_no_other_and_is_told(crm, odd):
    whole = day(message(3, "three", 3), message(2, "two", 2) | odd, message(1, "one", 1))
    told = crm.post("/messageLog", whole)["returnMessage"]
    (body,) = crm.bodies.values()
    assert in_order(read(body), "one", "three")
    assert "two" not in body
    assert (told["message"], told["messageType"]) == ("Message logged", "warning")
    assert "1 message has no id, time or direction" in str(told["details"])


def test_a_direction_in_small_letters_is_one(crm):
    assert f"Ines Pardo ({INES}) 06:40 PM\nHi" in log(crm, message(1, "Hi") | {"direction": "inbound"})


def test_the_time_of_the_last_change_stands_in_for_one_that_cannot_be_read(crm):
    assert in_order(log(crm, message(2, "two", 2), message(1, "one", 1, creationTime=None)), "one", "two")
