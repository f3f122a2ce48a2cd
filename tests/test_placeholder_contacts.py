"""Contacts that are named after their number: noted when they are made, listed, and gone from the list once named."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry

from adapters import registry
from adapters.contract import Contact, ContactMatches, parse_phone
from audit.models import AuditEvent
from connectors.api.authentication import issue_token
from connectors.models import PlaceholderContact
from connectors.roles import SUPPORT_ACT, SUPPORT_VIEW
from connectors.services.placeholder_contacts import is_named_after
from tests.factories import CrmUserFactory, signed_in

NUMBER = "+14155550133"


@pytest.fixture
def user(db):
    return CrmUserFactory(host="crm.example")


@pytest.fixture
def crm(monkeypatch):
    """A CRM whose contacts are those of the list, the last of them the one that is made."""
    contacts = [Contact(id=77, name=f"Auto {NUMBER}", type="Contact")]
    sound = registry.adapter_class("testCRM")
    methods = {
        "create_contact": lambda adapter, draft: contacts[-1],
        "find_contacts": lambda adapter, phone: ContactMatches(contacts=tuple(contacts)),
    }
    monkeypatch.setattr(registry, "adapter_class", lambda platform: type("Adapter", (sound,), methods))
    return contacts


def _make(client, user, name):
    body = {"phoneNumber": NUMBER, "newContactName": name, "newContactType": "Contact"}
    reply = client.post(f"/contact?jwtToken={issue_token(user)}", body, content_type="application/json")
    assert reply.status_code == 200, reply.content
    return reply.json()


def _plain(reply):
    return " ".join(re.sub(r"<[^>]+>", " ", reply.content.decode()).split())


@pytest.mark.parametrize(
    ("name", "is_placeholder"),
    [
        (f"Auto  {NUMBER}", True),
        ("PlaceholderContact JOHN DOE (415) 555-0133", True),
        ("4155550133", True),
        ("Ada Quirk", False),
        ("Ada Quirk 2", False),
        ("+14155550199", False),
        ("", False),
    ],
)
def test_a_name_that_holds_the_number_is_none(name, is_placeholder):
    assert is_named_after(name, parse_phone(NUMBER)) is is_placeholder


def test_short_digits_may_be_part_of_a_name():
    assert not is_named_after("Studio 54", parse_phone("54"))


def test_it_is_listed_with_the_way_to_mend_it_and_nothing_that_tells_who_it_is(client, user, crm):
    _make(client, user, f"Auto {NUMBER}")
    signed_in(client, SUPPORT_VIEW)
    page = client.get("/admin/desk/contacts/").content.decode()
    assert "Mend it in Test CRM</a>" in page
    assert "crm.example/contacts/77" in page
    assert "…0133" in page
    assert "415555" not in page
    assert "decide/named" not in page, "who only sees decides nothing"


def test_a_contact_with_a_name_is_not_listed(client, user, crm):
    _make(client, user, "Ada Quirk")
    assert not PlaceholderContact.objects.exists()


def test_a_look_up_that_shows_a_name_takes_it_from_the_list(client, user, crm):
    _make(client, user, f"Auto {NUMBER}")
    look_up = f"/contact?jwtToken={issue_token(user)}&phoneNumber=%2B14155550133&isForceRefreshAccountData=true"
    client.get(look_up)
    assert PlaceholderContact.objects.exists(), "it is still called by its number"
    crm[0] = Contact(id=77, name="Ada Quirk", type="Contact")
    client.get(look_up)
    assert not PlaceholderContact.objects.exists()


def test_another_tenants_look_up_leaves_it(client, user, crm):
    _make(client, user, f"Auto {NUMBER}")
    crm[0] = Contact(id=77, name="Ada Quirk", type="Contact")
    other = CrmUserFactory(host="crm.example")
    client.get(f"/contact?jwtToken={issue_token(other)}&phoneNumber=%2B14155550133")
    assert PlaceholderContact.objects.exists()


def test_support_says_that_they_have_names_and_it_is_recorded(client, user, crm):
    _make(client, user, f"Auto {NUMBER}")
    crm[0] = Contact(id=78, name=NUMBER, type="Contact")
    _make(client, user, NUMBER)
    rows = list(PlaceholderContact.objects.all())
    assert len(rows) == 2
    signed_in(client, SUPPORT_ACT)
    ids = " ".join(str(row.pk) for row in rows)
    asked = _plain(client.post("/admin/desk/decide/named/", {"ids": ids}))
    assert "2 contacts will count as named, and go from the list" in asked
    done = client.post("/admin/desk/decide/named/", {"ids": ids, "confirmed": "yes"}, follow=True)
    assert "2 contacts were taken from the list" in _plain(done)
    assert not PlaceholderContact.objects.exists()
    events = AuditEvent.objects.filter(action="contact.decide").order_by("pk")
    assert {(event.actor, event.target) for event in events} == {("staff:lee", "77"), ("staff:lee", "78")}
    assert LogEntry.objects.filter(object_id=str(user.pk)).count() == 2
    assert "Ada" not in str(list(events.values()))
