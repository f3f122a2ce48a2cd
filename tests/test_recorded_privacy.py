"""What ``crm_readiness --record`` writes in place of secrets and of people's, the same wherever a value stands."""

from __future__ import annotations

import json

import pytest

from adapters.readiness.scrubbing import Substitutes

OWN = "Readiness check, first note\n+16505550142\nOutbound Call to\nCall connected"
ANSWER = {
    "id": 7001,
    "first_name": "Zyxwina",
    "last_name": "Quvelmark",
    "name": "Zyxwina Quvelmark",
    "phones": [{"phone": "(415) 555-0177", "type": "work"}],
    "email": "zyx@quvelmark.example",
    "description": "Owes us money since the flood",
    "company": {"name": "Quvelmark Tiles"},
    "type": "Contact",
    "access_token": "token-of-the-account",
    "token_type": "bearer",
    "hostname": "acme.crm.example",
    "timezone_name": "Europe/Rome",
}


def _scrubbed(document, *, own=OWN, secrets=()):
    substitutes = Substitutes(own)
    for name, value in secrets:
        substitutes.add_secret(value, name)
    substitutes.look_through(ANSWER)
    return substitutes.put_into(document)


@pytest.mark.parametrize(
    "private",
    ["Zyxwina", "Quvelmark", "555-0177", "quvelmark.example", "flood", "Tiles", "token-of-the-account"],
)
def test_nothing_of_people_and_no_token_is_left(private):
    assert private not in json.dumps(_scrubbed(ANSWER))


def test_what_tells_nothing_of_anybody_stays():
    found = _scrubbed(ANSWER)

    for name in ("id", "type", "token_type", "hostname", "timezone_name"):
        assert found[name] == ANSWER[name]
    assert found["phones"][0]["type"] == "work"


def test_a_value_is_replaced_by_the_same_wherever_it_stands():
    document = {
        "answer": ANSWER,
        "expect": {"name": "Zyxwina Quvelmark", "greeting": "Dear Zyxwina,"},
        "url": "https://api.example/people?name=Zyxwina%20Quvelmark",
        "call": {"contact": {"name": "Quvelmark, Zyxwina"}},
    }

    found = _scrubbed(document)

    first, last = found["answer"]["first_name"], found["answer"]["last_name"]
    assert found["answer"]["name"] == found["expect"]["name"] == f"{first} {last}"
    assert found["expect"]["greeting"] == f"Dear {first},"
    assert found["call"]["contact"]["name"] == f"{last}, {first}"
    assert "Zyx" not in found["url"]


def test_a_name_inside_another_word_is_another_word():
    assert _scrubbed({"a": "Zyxwinas"}) == {"a": "Zyxwinas"}


def test_what_the_checklist_writes_stays_readable():
    own = {"phone": "(650) 555-0142", "name": "Readiness Check 20260504", "note": "Readiness check, first note"}
    substitutes = Substitutes(OWN)

    substitutes.look_through(own)

    assert substitutes.put_into(own) == own


def test_what_was_typed_is_a_secret_but_for_addresses():
    typed = (("password", "s3cret-word"), ("apiUrl", "https://api.na1.example"), ("hostname", "acme.crm.example"))

    found = _scrubbed(
        {"form": "s3cret-word", "url": "https://api.na1.example/x", "h": "acme.crm.example"}, secrets=typed
    )

    assert "s3cret" not in found["form"]
    assert found["url"] == "https://api.na1.example/x"
    assert found["h"] == "acme.crm.example"


def test_an_address_of_anybody_is_replaced_even_where_no_member_tells():
    assert _scrubbed({"x": "write to ann.other@people.example today"}) == {"x": "write to user@example.com today"}
