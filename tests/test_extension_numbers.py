"""Calls between colleagues: a look-up by an extension reaches those CRMs that can answer it, and no other."""

from __future__ import annotations

import pytest

from adapters import registry
from adapters.contract import Contact, ContactMatches
from connectors.api.authentication import issue_token
from tests.declarative import adapter_for, definition_with
from tests.factories import CrmUserFactory


@pytest.fixture
def asked(monkeypatch):
    """The numbers that the adapter was asked for; ``asked.can`` says whether it finds extensions."""
    sound = registry.adapter_class("testCRM")

    class Asked(list):
        can = True

    numbers = Asked()

    def find_contacts(self, phone):
        numbers.append(phone)
        return ContactMatches(contacts=(Contact(id=5, name="Robin Vale", type="Contact", phone=phone.raw),))

    def adapter_class(platform):
        return type("Adapter", (sound,), {"find_contacts": find_contacts, "finds_extensions": numbers.can})

    monkeypatch.setattr(registry, "adapter_class", adapter_class)
    return numbers


def _look_up(client):
    token = issue_token(CrmUserFactory())
    return client.get(f"/contact?phoneNumber=204&overridingFormat=&isExtension=true&jwtToken={token}").json()


@pytest.mark.django_db
def test_a_crm_that_finds_extensions_is_asked_for_one(client, asked):
    found = _look_up(client)
    assert [(contact["id"], contact["phone"]) for contact in found["contact"]] == [(5, "204")]
    assert [(phone.raw, phone.is_extension) for phone in asked] == [("204", True)]


@pytest.mark.django_db
def test_any_other_crm_is_not_asked(client, asked):
    asked.can = False
    found = _look_up(client)
    assert (found["successful"], found["contact"]) == (False, [])
    assert asked == []


@pytest.mark.parametrize(
    ("query", "finds"), [({"q": "{{phoneNumber}}"}, False), ({"q": "{{phoneNumber}}", "x": "{{isExtension}}"}, True)]
)
def test_a_definition_finds_extensions_if_its_request_tells_them_from_numbers(tmp_path, query, finds):
    find = {"url": "/people", "query": query, "responseMapping": {"listPath": "body"}}
    assert adapter_for(tmp_path, definition_with({"findContact": find})).finds_extensions is finds
