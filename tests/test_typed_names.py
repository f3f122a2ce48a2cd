"""A search by name finds what was typed, though the client does not encode it."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIRequestFactory

from adapters.contract import Contact, ContactMatches
from audit.models import AuditEvent
from connectors.api.authentication import issue_token
from connectors.api.typed_name import typed_names
from tests.factories import CrmUserFactory
from tests.stored_contacts import CRMS, stored


def _readings(query):
    from rest_framework.views import APIView

    return typed_names(APIView().initialize_request(APIRequestFactory().get(f"/custom/contact/search?{query}")))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("jwtToken=t&name=A+%20Plumbing", ["A+ Plumbing", "A  Plumbing"]),
        ("jwtToken=t&name=C++%20Users%20Group", ["C++ Users Group", "C   Users Group"]),
        ("jwtToken=t&name=R&D%20Partners", ["R&D Partners"]),
        ("jwtToken=t&name=A&B=C%20Ltd", ["A&B=C Ltd"]),
        ("jwtToken=t&name=1+1=2", ["1+1=2", "1 1=2"]),
        ("jwtToken=t&name=AT&T", ["AT&T"]),
        ("jwtToken=t&name=Barnes%20&%20Noble", ["Barnes & Noble"]),
        ("jwtToken=t&name=100%", ["100%"]),
        ("jwtToken=t&name=J%C3%BCrgen", ["Jürgen"]),
        ("name=Ann&jwtToken=t", ["Ann"]),
        ("name=R%26D&jwtToken=t", ["R&D"]),
        ("name=Mary+Ann&jwtToken=t", ["Mary Ann"]),
        ("jwtToken=t&name=Ann&isForceRefreshAccountData=true", ["Ann"]),
        ("jwtToken=t&name=Ann&_=17", ["Ann"]),
        ("name=AT&T&jwtToken=t", ["AT&T"]),
        ("name=R&D+Partners&isExtension=false", ["R&D Partners"]),
        ("jwtToken=t&name=Ann&name=Bea", ["Bea"]),
        ("jwtToken=t&name=R%26D%20Partners", ["R&D Partners"]),
        ("jwtToken=t&name=C%2B%2B+Group", ["C+++Group", "C++ Group"]),
        ("jwtToken=t&name=Mary+Ann", ["Mary+Ann", "Mary Ann"]),
        ("jwtToken=t&name=", [""]),
        ("jwtToken=t", [""]),
        ("jwtToken=t&username=Ann", [""]),
    ],
)
def test_all_behind_the_last_parameter_is_the_name(query, names):
    assert _readings(query) == names


@given(st.text())
def test_a_name_that_is_encoded_is_read_as_it_is(name):
    name = name.encode("utf-8", "replace").decode()
    assert _readings(f"jwtToken=t&name={quote(name)}") == [name]
    assert name in _readings("jwtToken=t&" + urlencode({"name": name}))
    assert _readings(urlencode({"name": name}) + "&jwtToken=t") == [name]


class Phonebook:
    """The Test CRM's adapter with people of these names in it."""

    def __init__(self, *names):
        self.names = names
        self.asked = []

    def find(self, adapter, name):
        self.asked.append(name)
        found = [known for known in self.names if name.casefold() in known.casefold()]
        return ContactMatches(contacts=tuple(Contact(id=known, name=known, type="Company") for known in found))


@pytest.fixture
def search(client, monkeypatch):
    """Searches for a name as it stands in the URL; ``search.book`` says what the CRM was asked."""
    from adapters import registry

    def names(typed, *known):
        names.book = book = Phonebook(*known)
        monkeypatch.setattr(
            registry.adapter_class("testCRM"), "find_contacts_by_name", lambda self, name: book.find(self, name)
        )
        token = issue_token(CrmUserFactory())
        reply = client.get(f"/custom/contact/search?jwtToken={token}&name={typed}").json()
        return [row["name"] for row in reply["contact"]]

    return names


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("typed", "company"),
    [("A+%20Plumbing", "A+ Plumbing"), ("C++%20Users", "C++ Users Group"), ("R&D%20Partners", "R&D Partners")],
)
def test_a_company_with_a_sign_in_its_name_is_found_with_one_search(search, typed, company):
    assert search(typed, company, "R and D", "Reed") == [company]
    assert len(search.book.asked) == 1


@pytest.mark.django_db
def test_a_plus_is_a_blank_where_nobody_has_it_in_the_name(search):
    assert search("Mary+Ann", "Mary Ann Reed") == ["Mary Ann Reed"]
    assert search.book.asked == ["Mary+Ann", "Mary Ann"]
    [event] = AuditEvent.objects.filter(action="contact.search")
    assert event.detail == {"found": 1}


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["Smith,%20John", "Smith,+John"])
def test_a_person_is_found_by_the_last_name_first(search, typed):
    assert search(typed, "John Smith", "Smith and Sons", "John Smithers") == ["John Smith", "John Smithers"]
    assert search.book.asked[-1] == "John Smith"


@pytest.mark.django_db
def test_a_name_with_a_comma_that_is_there_is_not_turned(search):
    assert search("Smith,%20John", "Smith, John", "John Smith") == ["Smith, John"]
    assert search("Acme,%20Inc.", "Inc. Acme") == []
    assert search.book.asked == ["Acme, Inc."]


@pytest.mark.django_db
@pytest.mark.parametrize("platform", sorted(CRMS))
def test_every_crm_is_asked_for_exactly_what_was_typed(client, platform):
    with stored(platform) as crm:
        token = issue_token(crm.user())
        reply = client.get(f"/custom/contact/search?jwtToken={token}&name=R&D%20Partners").json()
        assert reply["successful"] is True
        asked = [value for row in crm.requests for value in (*row.query.values(), *(row.body or {}).values())]
    wanted = ("R&D Partners", "R&D") if platform == "insightly" else ("R&D Partners",)  # first and last name apart
    assert any(text in str(value) for text in wanted for value in asked)
    assert "R" not in asked
