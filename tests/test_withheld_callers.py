"""Calls without a usable number, in every CRM: nobody is looked for, and the call can be logged all the same."""

from __future__ import annotations

import json

import pytest

from adapters import registry
from adapters.contract import CrmUnavailable
from audit.models import AuditEvent
from connectors.api.authentication import issue_token
from connectors.models import ContactMatch
from tests.stored_contacts import CRMS, stored
from tests.test_phone import NOBODY

pytestmark = pytest.mark.django_db

EXTENSIONS = "internal extension"


@pytest.fixture(params=sorted(CRMS))
def crm(request):
    with stored(request.param) as crm:
        yield crm


def _look_up(client, user, number, *, is_extension=False):
    query = {"phoneNumber": number, "overridingFormat": "", "isExtension": str(is_extension).lower()}
    return client.get("/contact", {**query, "jwtToken": issue_token(user)}).json()


def _create(client, user, crm, number, name="Caller One"):
    body = {"newContactName": name, "newContactType": crm.kind.contact_type, "additionalSubmission": {}}
    reply = client.post(
        f"/contact?jwtToken={issue_token(user)}",
        {**body, **({} if number is None else {"phoneNumber": number})},
        content_type="application/json",
    )
    return reply.json()


def test_nobody_is_looked_for_and_a_new_contact_is_offered(client, crm):
    crm.text, user = "anonymous", crm.user()
    for number in NOBODY:
        reply = _look_up(client, user, number)
        assert reply["successful"] is True, number
        assert reply["returnMessage"]["message"] == "Contact not found"
        assert [row["id"] for row in reply["contact"]] == ["createNewContact"]
        assert EXTENSIONS not in json.dumps(reply)
    assert crm.searched() == []
    assert not ContactMatch.objects.exists()
    event = AuditEvent.objects.filter(action="contact.find").latest("id")
    assert (event.outcome, event.detail["withheld"]) == ("success", True)


def test_the_offer_is_the_one_an_unknown_number_gets(client, crm):
    crm.text, user = "212-555-0199", crm.user()
    unknown = _look_up(client, user, "+14155550133")["contact"]
    assert _look_up(client, user, "anonymous")["contact"] == unknown


def test_a_crm_out_of_reach_hinders_nobody_from_logging(client, crm, monkeypatch):
    def unavailable(self):
        raise CrmUnavailable()

    monkeypatch.setattr(registry.adapter_class(crm.platform), "new_contact_offer", unavailable)
    reply = _look_up(client, crm.user(), "anonymous")
    assert (reply["successful"], [row["id"] for row in reply["contact"]]) == (True, ["createNewContact"])


def test_a_contact_is_created_without_what_is_no_number(client, crm):
    user = crm.user()
    for index, number in enumerate(("anonymous", "", "+266696687", "sip:bob@pbx.example", "undefined", None)):
        reply = _create(client, user, crm, number, f"Caller {'ABCDEF'[index]}")
        assert reply["successful"] is True, number
        assert not reply["contact"]["phone"]
    assert len(crm.written()) == 6
    text = json.dumps(crm.written())
    for value in ("anonymous", "266696687", "sip:", "undefined"):
        assert value not in text
    assert not _names_of_numbers(crm.written())


def _names_of_numbers(bodies):
    """Fields for numbers that are in a body with something in them."""
    flat = json.dumps(bodies).replace(" ", "")
    return [key for key in ('"phone":"', '"PHONE":"', '"value":"', '"number":"', '"phones":["') if key in flat]


def test_a_short_code_is_looked_for_and_stored_as_a_number(client, crm):
    crm.text, user = "72345", crm.user()
    reply = _look_up(client, user, "72345")
    assert reply["contact"][0]["name"] == "Ines Pardo"
    assert EXTENSIONS not in json.dumps(reply)
    assert any("72345" in text for text in crm.searched())
    assert _create(client, user, crm, "72345")["contact"]["phone"] == "72345"
    assert "72345" in json.dumps(crm.written())


def test_the_digits_of_a_short_code_within_a_number_are_nobodys(client, crm):
    user = crm.user()
    for crm.text in ("415-72345", "172345", "(415) 555-0133 x72345", "723450"):
        reply = _look_up(client, user, "72345")
        assert reply["successful"] is True
        assert [row["id"] for row in reply["contact"]] == ["createNewContact"], crm.text


def test_an_extension_is_told_apart_by_the_client_only(client, crm):
    reply = _look_up(client, crm.user(), "204", is_extension=True)
    if registry.adapter_class(crm.platform).finds_extensions:
        assert reply["successful"] is True
    else:
        assert (reply["successful"], reply["contact"], crm.requests) == (False, [], [])
