"""Who said what in a conversation of a shared inbox, and where its files can be read."""

from __future__ import annotations

from datetime import UTC

import pytest

from adapters.contract import LogFormat
from connectors.log_body import compose_shared

MAY = "2025-05-01T15:00:00Z"


def _said(*entities, contact_name="Pat Lee"):
    info = {"creationTime": MAY, "owner": {"name": "Night queue"}, "entities": list(entities)}
    return compose_shared(info, contact_name=contact_name, log_format=LogFormat.PLAIN, zone=UTC)[1]


def _message(text, direction="Inbound", **members):
    return {"recordType": "AliveMessage", "direction": direction, "creationTime": MAY, "text": text, **members}


def test_two_customers_stand_under_their_own_names_and_numbers():
    body = _said(
        _message("yes", author={"name": "Ines Pardo"}, **{"from": {"phoneNumber": "+14155550123"}}),
        _message("no", **{"from": {"phoneNumber": "+14155550144"}}),
    )
    assert "Ines Pardo (+14155550123) said on 2025-05-01 03:00 PM:\nyes" in body
    assert "+14155550144 said on 2025-05-01 03:00 PM:\nno" in body
    assert "Pat Lee said" not in body


@pytest.mark.parametrize("direction", ["Inbound", "inbound", " INBOUND"])
def test_the_one_customer_is_the_contact_however_the_direction_is_written(direction):
    said = _message("hi", direction, **{"from": {"phoneNumber": "+14155550123", "name": "WIRELESS CALLER"}})
    assert "Pat Lee said on" in _said(said, said)


@pytest.mark.parametrize(
    ("members", "speaker"),
    [
        ({}, "Unknown"),
        ({"author": {"name": ""}, "from": {"phoneNumber": "+16505550100"}}, "+16505550100"),
        ({"author": {"name": "\u200b"}}, "Unknown"),
        ({"author": {"name": "Robin Vu"}}, "Robin Vu"),
    ],
)
def test_a_message_never_stands_without_a_speaker(members, speaker):
    assert f"\n{speaker} said on" in _said(_message("hi", "Outbound", **members))


def test_a_file_leaves_the_clients_own_link_where_it_has_no_address():
    file = {"type": "MmsAttachment", "contentType": "image/png", "link": "https://reader.example.com/1?access_token=s"}
    assert "[Link]: https://reader.example.com/1\n" in _said(_message("", attachments=[file]))


@pytest.mark.parametrize("log_format", [LogFormat.PLAIN, LogFormat.HTML, LogFormat.MARKDOWN])
def test_a_conversation_longer_than_its_crm_takes_keeps_the_newest_entries(log_format):
    entities = [
        {
            "recordType": "AliveMessage",
            "direction": "Inbound",
            "author": {"name": "Ines Pardo"},
            "creationTime": f"2026-01-14T18:{minute:02d}:00Z",
            "text": f"message {minute} {'x' * 1000}",
        }
        for minute in range(60)
    ]
    _, whole = compose_shared({"entities": entities}, contact_name="Ines", log_format=log_format, zone=UTC)
    assert "shortened" not in whole
    _, body = compose_shared({"entities": entities}, contact_name="Ines", log_format=log_format, zone=UTC, most=20_000)
    assert 17_000 < len(body) <= 20_000
    left_out = 60 - body.count("x" * 1000)
    assert f"[shortened: {left_out} older entries left out]" in body
    assert "message 59 " in body
    assert "message 0 " not in body
    assert body.endswith("END" if log_format is not LogFormat.HTML else "<div>END</div>")
