"""The values a definition's templates are given, operation by operation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from adapters.contract import (
    AdapterContext,
    Assignee,
    Attachment,
    CallLogChange,
    CallLogEntry,
    ContactDraft,
    Credentials,
    Direction,
    LoggedCall,
    LogRef,
    Message,
    MessageKind,
    MessageLogChange,
    MessageLogEntry,
    Options,
    Party,
    UserProfile,
)
from adapters.proxy import schema, variables
from tests.declarative import ENTRY, PHONE, PIA, REF, START, manifest_with
from tests.exchanges import MemoryCache


def test_the_variables_given_are_the_variables_documented():
    user = UserProfile(id=1, name="K")
    change = CallLogChange(note="n")
    conversation = MessageLogEntry(
        conversation_log_id="c",
        contact=PIA,
        messages=(FAX,),
        started_at=START,
        ended_at=START,
        correspondents=("Pat",),
    )
    more = MessageLogChange(contact=PIA, messages=(FAX,), ended_at=START)
    for operation, given in {
        "findContact": variables.phone(PHONE),
        "createContact": variables.new_contact(ContactDraft(name="A B", phone=PHONE, type="P", submission={"x": 1})),
        "createCallLog": variables.new_call(ENTRY, user),
        "getCallLog": {key: value for key, value in variables.existing(REF, "x").items() if key != "x"},
        "updateCallLog": {**variables.changed_call(REF, change), "contactId": None},
        "findCallLog": variables.marker(ENTRY.as_marker(), user),
        "createMessageLog": variables.new_conversation(conversation, user),
        "updateMessageLog": variables.more_messages(REF, more, "b"),
    }.items():
        assert set(given) - {"contactId"} <= schema.VARIABLES[operation], operation
        for name, value in given.items():
            assert _unlisted(value, schema.MEMBERS.get(name, {}), name) == [], operation


def _unlisted(value, members, place):
    """Places below a variable that a definition could not name."""
    if members is None or not isinstance(value, dict | list):
        return []
    items = value.items() if isinstance(value, dict) else ((schema.ELEMENT, item) for item in value)
    return [
        found
        for key, item in items
        for found in (_unlisted(item, members[key], f"{place}.{key}") if key in members else [f"{place}.{key}"])
    ]


WIRE = {
    "ringSenseTranscript": "rt",
    "ringSenseSummary": "rs",
    "ringSenseAIScore": 7,
    "ringSenseBulletedSummary": "rb",
    "ringSenseLink": "rl",
    "voicemailMessageId": "vm",
    "hashedAccountId": "ha",
    "isFromSSCL": False,
    "aiNote": "ai",
    "transcript": "tr",
    "legs": [{"legType": "Accept"}],
}
RAW = {key: value for key, value in WIRE.items() if key not in ("aiNote", "transcript", "legs")}
LINKS = {"recordingLink": "https://r.example/1", "voicemailLink": "https://v.example/1"}
PIA_GIVEN = {"id": "per_1", "type": "Person", "name": "Pia Ostrow", "phoneNumber": "+16505550112"}
KIM = UserProfile(id=41, name="Kim Alder")


def test_a_new_call_has_these_variables():
    entry = replace(
        ENTRY,
        assignee=Assignee(user_id="77"),
        caller=Party(name="Pia", phone_number="+16505550112", location="Paris"),
        callee=Party(name="Kim", extension_number="101"),
        recording_link="https://r.example/1",
        voicemail_link="https://v.example/1",
        ai_note="ai",
        transcript="tr",
        wire={**WIRE, "logInfo": {"id": "r1", "telephonySessionId": "t1", "duration": 91.4, "startTime": 1}},
    )
    assert variables.new_call(entry, KIM) == {
        **RAW,
        **LINKS,
        "contactInfo": PIA_GIVEN,
        "callLog": {
            "id": "r1",
            "telephonySessionId": "t1",
            "sessionId": "s1",
            "direction": "Inbound",
            "startTime": "2026-05-04T16:31:07.000Z",
            "result": "Accepted",
            "duration": 90,
            "from": {"name": "Pia", "phoneNumber": "+16505550112", "location": "Paris"},
            "to": {"name": "Kim", "extensionNumber": "101"},
        },
        "subject": "Inbound Call",
        "startTime": "2026-05-04T16:31:07.000Z",
        "endTime": "2026-05-04T16:32:37.000Z",
        "note": "x",
        "composedLogDetails": "- Note: x\n",
        "additionalSubmission": {"deals": None, "stage": 0},
        "aiNote": "ai",
        "transcript": "tr",
        "assigneeId": "77",
        "ownerId": "77",
        "idempotencyKey": "s1",
    }


def test_an_edit_has_these_variables():
    change = CallLogChange(
        subject="S",
        body="b",
        note="n",
        started_at=START,
        duration=90,
        result="Missed",
        recording_link="https://r.example/1",
        voicemail_link="https://v.example/1",
        submission={"deals": "none"},
        assignee=Assignee(user_id="77"),
        current=LoggedCall(raw={"v": 1}),
        wire=WIRE,
    )
    assert variables.changed_call(REF, change) == {
        **WIRE,
        **LINKS,
        "thirdPartyLogId": "17",
        "contactId": "per_1",
        "existingCallLog": {"sessionId": "s1", "thirdPartyLogId": "17", "contactId": "per_1"},
        "existingCallLogDetails": {"v": 1},
        "subject": "S",
        "note": "n",
        "composedLogDetails": "b",
        "startTime": "2026-05-04T16:31:07.000Z",
        "endTime": "2026-05-04T16:32:37.000Z",
        "duration": 90,
        "result": "Missed",
        "additionalSubmission": {"deals": None},
        "assigneeId": "77",
    }


FAX = Message(
    id="9",
    kind=MessageKind.FAX,
    direction=Direction.OUTBOUND,
    sent_at=START,
    text="t",
    sender=Party(name="Kim"),
    recipients=(Party(phone_number="+16505550112"),),
    recording_link="https://r.example/1",
    fax_link="https://f.example/1",
    attachments=(
        Attachment(content_type="text/vcard", link="https://c.example/1"),
        Attachment(content_type="image/png", link="https://i.example/1"),
        Attachment(content_type="video/mp4", link="https://m.example/1"),
        Attachment(content_type="image/png", link="https://i.example/2"),
    ),
    status="Sent",
    fax_page_count=3,
)
FAX_GIVEN = {
    "id": "9",
    "type": "Fax",
    "direction": "Outbound",
    "subject": "t",
    "creationTime": "2026-05-04T16:31:07.000Z",
    "from": {"name": "Kim"},
    "to": [{"phoneNumber": "+16505550112"}],
    "messageStatus": "Sent",
    "faxPageCount": 3,
}
MESSAGE_GIVEN = {
    "messages": [FAX_GIVEN],
    "message": FAX_GIVEN,
    "recordingLink": "https://r.example/1",
    "faxDocLink": "https://f.example/1",
    "imageLink": "https://i.example/1",
    "videoLink": "https://m.example/1",
    "contactInfo": PIA_GIVEN,
    "creationTime": "2026-05-04T16:31:07.000Z",
    "endTime": "2026-05-04T16:32:07.000Z",
    "composedLogDetails": "b",
    "additionalSubmission": {"stage": 1},
}


def test_a_conversation_has_these_variables():
    end = START + timedelta(minutes=1)
    entry = MessageLogEntry(
        conversation_log_id="c/1",
        contact=PIA,
        messages=(FAX,),
        subject="S",
        body="b",
        started_at=START,
        ended_at=end,
        correspondents=("Ann",),
        submission={"stage": 1},
    )
    assert variables.new_conversation(entry, KIM) == {
        **MESSAGE_GIVEN,
        "subject": "S",
        "correspondents": ["Ann"],
        "ownerId": 41,
        "conversationLogId": "c/1",
        "idempotencyKey": "c/1",
    }
    more = MessageLogChange(contact=PIA, messages=(FAX,), ended_at=end, submission={"stage": 1})
    assert variables.more_messages(LogRef(log_id="3", marker="c/1"), more, "b") == {
        **MESSAGE_GIVEN,
        "thirdPartyLogId": "3",
        "existingMessageLog": {"sessionId": "c/1", "thirdPartyLogId": "3"},
        "conversationLogId": "c/1",
        "idempotencyKey": "c/1/9",
    }


def test_every_operation_has_the_login_and_the_user():
    credentials = Credentials(access_token="a", refresh_token="r", expires_at=START)
    user = UserProfile(id="u", name="K", timezone="Europe/Paris", email="k@x.example", extra={"firm": 1})
    context = AdapterContext(
        manifest=manifest_with(),
        user=user,
        credentials=credentials,
        options=Options(),
        secrets={"GROVE_SECRET_KEY": "s", "GROVE_X": "", "GROVE_Y": "y"},
        cache=MemoryCache({}),
    )
    assert variables.common(context, credentials, "eu.grove.example") == {
        "apiKey": "a",
        "secretKey": "s",
        "platform": "grove",
        "secrets": {"GROVE_SECRET_KEY": "s", "GROVE_Y": "y"},
        "user": {
            "id": "u",
            "name": "K",
            "email": "k@x.example",
            "hostname": "eu.grove.example",
            "timezoneName": "Europe/Paris",
            "platform": "grove",
            "accessToken": "a",
            "refreshToken": "r",
            "tokenExpiry": "2026-05-04T16:31:07.000Z",
            "platformAdditionalInfo": {"firm": 1},
        },
    }


def test_a_pending_call_has_neither_duration_nor_end():
    entry = CallLogEntry(
        session_id="s", direction=Direction.INBOUND, contact=PIA, started_at=START, wire={"logInfo": {"duration": None}}
    )
    given = variables.new_call(entry, UserProfile(id=1, name="K"))
    assert "endTime" not in given
    assert "duration" not in given["callLog"]
