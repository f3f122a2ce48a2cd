"""What a telephone system says of a call, however odd, costs no log: only what is shown of it changes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import LogFormat
from audit.models import CallLog, LogState
from connectors.api.shown import journey, seconds
from tests.extension import call
from tests.remembering import remembering

INES = {"id": 41207, "name": "Ines Pardo", "type": "Contact", "phone": "+14155550123"}
FORMATS = [LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN]

pytestmark = pytest.mark.django_db


@pytest.fixture(params=FORMATS, ids=[str(item) for item in FORMATS])
def crm(request, client, monkeypatch):
    return remembering(client, monkeypatch, request.param, body_length=None)


@pytest.fixture
def plain(client, monkeypatch):
    return remembering(client, monkeypatch, body_length=None)


def _logged(crm, number="1", **changes):
    reply = crm.post("/callLog", call(number, INES, **changes))
    assert reply["returnMessage"]["message"] == "Call logged", reply
    assert CallLog.objects.get(session_id=number).state == LogState.LOGGED
    return crm.bodies[f"call-{number}"]


@pytest.mark.parametrize(
    ("given_duration", "shown", "stored"),
    [
        (-5, "0 seconds", 0),
        (-1, "0 seconds", 0),
        ("-3", "0 seconds", 0),
        ("187", "3 minutes, 7 seconds", 187),
        ("00:03:07", "3 minutes, 7 seconds", 187),
        ("3:07", "3 minutes, 7 seconds", 187),
        ("PT3M7S", "3 minutes, 7 seconds", 187),
        ("PT", None, None),
        ("3:77", None, None),
        (61.5, "1 minute, 1.5 seconds", 62),
        (None, "0 seconds", None),
        ("pending", "pending", None),
        ("", None, None),
        ("long", None, None),
        (1764300000, None, None),
        ("1764300000", None, None),
        (True, None, None),
        ([187], None, None),
        ({}, None, None),
        ("nan", None, None),
        ("inf", None, None),
        ("-inf", "0 seconds", 0),
        (90061, "25 hours, 1 minute, 1 second", 90061),
    ],
)
def test_no_duration_refuses_a_call_or_an_edit(crm, given_duration, shown, stored):
    body = _logged(crm, info={"duration": given_duration})
    assert ("Duration" in body) is (shown is not None)
    assert shown is None or f": {shown}" in body
    assert crm.entry.duration == stored

    before = _logged(crm, "2")
    assert crm.patch("/callLog", {"sessionId": "2", "duration": given_duration, "note": "new"})["successful"]
    after = crm.bodies["call-2"]
    assert f": {shown or '3 minutes, 7 seconds'}" in after
    assert after.count("Duration") == before.count("Duration") == 1
    assert "new" in after
    assert crm.change.duration == stored


ODD = ["x", 5, -1.5, True, [], {}, [[]], [None], {"phoneNumber": {}}, None]


@pytest.mark.parametrize("member", ["from", "to", "legs", "recording", "voicemail", "result", "customSubject"])
def test_no_value_of_what_is_only_shown_refuses_a_call(plain, member):
    for number, value in enumerate(ODD):
        _logged(plain, str(number), info={member: value})


@pytest.mark.parametrize(
    "member",
    ["aiNote", "transcript", "ringSenseTranscript", "ringSenseSummary", "ringSenseAIScore", "ringSenseLink",
     "ringSenseBulletedSummary", "voicemailLink", "contactName", "note"],
)  # fmt: skip
def test_no_value_beside_the_call_refuses_it(plain, member):
    for number, value in enumerate(ODD):
        _logged(plain, str(number), **{member: value})


@pytest.mark.parametrize(
    "member", ["from", "to", "legs", "result", "subject", "direction", "recordingLink", "aiNote", "transcript", "note"]
)
def test_no_value_of_what_is_only_shown_refuses_an_edit(plain, member):
    _logged(plain)
    for seconds_of_call, value in enumerate(ODD, start=2):
        edit = {"sessionId": "1", member: value, "duration": seconds_of_call}
        assert plain.patch("/callLog", edit)["successful"], value
        assert f"- Duration: {seconds_of_call} seconds" in plain.bodies["call-1"], value


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["from", "to", "name", "duration", "link"]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_no_json_whatever_breaks_a_journey_or_a_duration(value):
    journey().run_validation(value)
    journey().run_validation([value])
    assert seconds(value) is None or 0 <= seconds(value) <= 172_800


@pytest.mark.parametrize(
    ("member", "value"),
    [("sessionId", {"$ne": 1}), ("sessionId", "9" * 500), ("startTime", "yesterday"), ("startTime", None)],
)
def test_what_says_which_call_is_meant_stays_strict(plain, member, value):
    body = call("1", INES, info={member: value})
    reply = plain.client.post(f"/callLog?jwtToken={plain.token}", body, content_type="application/json")
    assert reply.status_code == 400
    assert not CallLog.objects.exists()


@pytest.mark.parametrize(
    ("given_direction", "title"),
    [("inbound", "Inbound Call from"), ("OUTBOUND ", "Outbound Call to"), ("Sideways", "Outbound Call to"),
     (None, "Outbound Call to")],
)  # fmt: skip
def test_a_direction_is_read_in_any_case_and_what_is_not_inbound_is_outbound(plain, given_direction, title):
    _logged(plain, info={"direction": given_direction, "customSubject": ""})
    assert plain.titles["call-1"] == f"{title} Ines Pardo"


@pytest.mark.parametrize(
    "moment",
    [1778077867, 1778077867000, 1778077867000000, "1778077867", "1778077867000", 1778077867.0,
     "2026-05-06T14:31:07z", "20260506T143107Z"],
)  # fmt: skip
def test_a_moment_is_read_in_seconds_milliseconds_and_microseconds(plain, moment):
    assert "2026-05-06 02:31:07 PM" in _logged(plain, info={"startTime": moment})


@pytest.mark.parametrize("odd", [{"additionalSubmission": []}, {"additionalSubmission": "none"}])
def test_a_form_that_is_none_is_an_empty_one(plain, odd):
    _logged(plain, **odd)


def test_an_edit_with_an_empty_time_leaves_the_time(plain):
    before = _logged(plain)
    plain.patch("/callLog", {"sessionId": "1", "startTime": "", "note": "later"})
    assert "04:31:07 PM" in before
    assert "04:31:07 PM" in plain.bodies["call-1"]


def test_a_recording_without_a_link_gets_that_of_the_reader(plain):
    recording = {
        "contentUri": "https://media.ringcentral.com/restapi/v1.0/account/1/recording/9/content?access_token=s"
    }
    body = _logged(plain, info={"recording": recording})
    assert "Call recording link: https://ringcentral.github.io/ringcentral-media-reader/?media=" in body
    assert "access_token" not in body


def _leg(**members):
    return {"direction": "Inbound", "duration": 12, **members}


def test_the_journey_names_everybody_of_whom_anything_is_known(crm):
    legs = [
        _leg(to={"phoneNumber": "+16505550100", "name": "Main IVR"}),
        _leg(duration=35, to={"name": "Sales Queue"}),
        _leg(duration=300, to={"name": "Agent 1", "extensionNumber": "201"}),
        _leg(duration=10, to={"name": "Park Location 3", "device": {"id": "1"}}),
        _leg(duration=10, to={}),
        None,
        "x",
        _leg(to="x"),
        _leg(duration=-2, to={"name": "Conference\n 7"}),
        _leg(duration=1764300000, to={"phoneNumber": "+16505550111"}),
        _leg(duration="pending", to={"extensionNumber": "202"}),
        {"direction": "Outbound", "from": {"name": "Agent 2"}, "to": {"name": "Nobody"}, "duration": 1},
    ]
    body = _logged(crm, info={"legs": legs})
    journey = [
        "Received call at Main IVR, +16505550100",
        "Transferred to Sales Queue, duration: 35 seconds",
        "Transferred to Agent 1, ext 201, duration: 300 seconds",
        "Transferred to Park Location 3, duration: 10 seconds",
        "Transferred to Conference 7",
        "Transferred to +16505550111",
        "Transferred to ext 202",
        "Transferred to Agent 2, duration: 1 second",
    ]
    assert ("<br>" if crm.entry.body.startswith("<") else "\n").join(journey) in body
    assert crm.patch("/callLog", {"sessionId": "1", "legs": legs[:2]})["successful"]
    assert crm.bodies["call-1"].count("Transferred") == 1


@pytest.mark.parametrize(
    ("legs", "lines"),
    [
        ([_leg(to={})], ["Received call"]),
        ([{"direction": "Outbound", "duration": 3}], ["Made call"]),
        ([_leg(to={"name": "\u200b"})], ["Received call"]),
        (
            [_leg(to={"name": "\u200b"}), _leg(to={"name": "\u200b", "phoneNumber": "+16505550111"}, duration=0)],
            ["Received call", "Transferred to +16505550111, duration: 0 seconds"],
        ),
    ],
)
def test_a_leg_has_nothing_dangling_where_its_party_is_not_known(plain, legs, lines):
    body = _logged(plain, info={"legs": legs})
    assert "- Call journey:\n" + "\n".join(lines) + "\n--- JOURNEY END" in body


@pytest.mark.parametrize(
    ("direction", "party", "title"),
    [
        ("Inbound", {}, "Inbound Call"),
        ("Outbound", {"name": "WIRELESS CALLER"}, "Outbound Call"),
        ("Inbound", {"extensionNumber": "201"}, "Inbound Call from ext 201"),
        ("Outbound", {"phoneNumber": "+14155550123"}, "Outbound Call to +14155550123"),
    ],
)
@pytest.mark.parametrize("name", ["", "\u200b"])
def test_a_title_has_nothing_dangling_where_nobody_knows_the_other_side(plain, direction, party, title, name):
    info = {"customSubject": "", "direction": direction, "from" if direction == "Inbound" else "to": party}
    _logged(plain, info=info, contactName=name)
    assert plain.entry.subject == title


def test_a_long_text_is_cut_and_says_so(crm):
    long = "word " * 60_000
    body = _logged(crm, note=long, aiNote=long, transcript="x" * 200_001, contactName="n" * 300)
    assert body.count("[shortened]") == 3
    assert len(crm.entry.note) <= 200_000
    assert len(crm.entry.transcript) == 200_000
    assert len(crm.entry.contact.name) == 255
    assert max(len(text) for text in crm.entry.wire.values() if isinstance(text, str)) == 200_000
    exact = "y" * 200_000
    _logged(crm, "2", transcript=exact)
    assert crm.entry.transcript == exact


def test_a_long_subject_and_half_a_link_are_no_reason_to_refuse(plain):
    body = _logged(plain, info={"customSubject": "s" * 1500, "recording": {"link": "https://m.example.com/" * 500}})
    assert plain.entry.subject.startswith("sss")
    assert plain.entry.subject.endswith("s…")
    assert "m.example.com" not in body


def test_a_long_note_is_kept_for_later_in_part(plain):
    assert plain.post("/callLog/cacheNote", {"sessionId": "1", "note": "n" * 250_000})["successful"]
