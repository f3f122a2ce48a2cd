"""A person is found however their number is stored, in every CRM, and nobody else for them."""

from __future__ import annotations

import pytest

from audit.models import AuditEvent
from connectors.api.authentication import issue_token
from connectors.models import ContactMatch
from tests.stored_contacts import CRMS, PERSON, stored

pytestmark = pytest.mark.django_db

NUMBER = "+14155550133"
#: Stored texts in which the number is one of what is written.
AMONG_WORDS = (
    "415-555-0133 (mobile)",
    "415-555-0133 - Anna",
    "415-555-0177 / 415-555-0133",
    "415-555-0133, 415-555-0177",
    "H: 415-555-0177 C: 415-555-0133",
    "415-555-0133 Do not call",
    "415-555-0177\n415-555-0133",
    "4155550177;4155550133",
    "Mobile: (415) 555-0133",
    "415-555-0133 x34",
    "+1 415 555 0133;ext=34",
    "415.555.0133 ext. 34 (ask for Max)",
    "415/555-0133 Durchwahl 34",
    "1) 415-555-0177 2) 415-555-0133",
    "011 1 415 555 0133",
    "٤١٥-٥٥٥-٠١٣٣",
    "\u202a+1\u00a0(415)\u00a0555\u20110133\u202c",
    "415,555,0133",
)
#: Stored text and the number asked for: two correct notations of one.
NOTATIONS = (
    ("+52 55 1234 5678", "+5215512345678"),
    ("+52 1 55 2234 5678", "+525522345678"),
    ("044 55 2234 5678", "+525522345678"),
    ("+54 11 2345-6789", "+5491123456789"),
    ("+54 9 11 3345-6789", "+541133456789"),
    ("011 15 2345-6789", "+5491123456789"),
    ("011 44 20 7946 0958", "+442079460958"),
    ("0044 (0)20 7946 0958", "+442079460958"),
    ("020 7946 0958", "+442079460958"),
    ("+39 6 12345678", "+390612345678"),
    ("(357) 456-7890", "+13574567890"),
    ("(555) 555-1234", "+15555551234"),
    ("1-800-FLOWERS", "+18003569377"),
)
#: Stored texts of somebody else.
OTHERS = (
    "415-555-0177",
    "212-555-0133",
    "994155550133",
    "+44 4155550133",
    "4155550133999",
    "99 4155550133",
    "415-555-0177 / 212-555-0133",
    "x34",
    "Anna",
    "",
)


@pytest.fixture(params=sorted(CRMS))
def crm(request):
    with stored(request.param) as crm:
        yield crm


def _found(client, user, number, formats=""):
    query = {"phoneNumber": number, "overridingFormat": formats, "isExtension": "false", "jwtToken": issue_token(user)}
    reply = client.get("/contact", query).json()
    assert reply["successful"] is True
    return [row["id"] for row in reply["contact"] if not row.get("isNewContact")]


def _event():
    return AuditEvent.objects.filter(action="contact.find").latest("id")


def test_a_number_among_words_and_other_numbers_is_found(client, crm):
    for crm.text in AMONG_WORDS:
        user = crm.user()  # a new one each time: Clio answers a user's token 50 times a minute
        ContactMatch.objects.all().delete()
        assert _found(client, user, NUMBER, "###-###-####") == [PERSON], crm.text
        assert _event().detail["dropped"] == [], crm.text
        assert ContactMatch.objects.filter(user=user).count() == 1, crm.text


def test_a_number_is_found_in_any_correct_notation(client, crm):
    for crm.text, number in NOTATIONS:
        assert _found(client, crm.user(), number) == [PERSON], (crm.text, number)
        assert _event().detail["dropped"] == []


def test_somebody_elses_number_is_not_shown_and_it_is_told_why(client, crm):
    for crm.text in OTHERS:
        assert _found(client, crm.user(), NUMBER) == [], crm.text
        dropped = _event().detail["dropped"]
        assert {hit["id"] for hit in dropped} == {PERSON}
        assert all(hit["reason"] for hit in dropped)
    assert not ContactMatch.objects.exists()


def test_the_audit_trail_tells_who_was_shown_by_the_last_digits_only(client, crm):
    crm.text = "555-0133"
    assert _found(client, crm.user(), NUMBER) == [PERSON]
    assert set(_event().detail["shown by last digits"]) == {PERSON}


def test_numbers_without_a_country_are_read_in_the_users_own(client, crm):
    crm.text = "00 1 415 555 0133 / 0011 1 212 555 0199"  # the second as dialled in Australia
    user = crm.user("Australia/Sydney")
    assert _found(client, user, "+12125550199") == [PERSON]
    crm.text = "15 2345-6789"  # a mobile number in the area of Buenos Aires, for its people
    assert _found(client, crm.user("America/Argentina/Buenos_Aires"), "+5491123456789") == [PERSON]


@pytest.mark.parametrize(
    ("number", "twin"),
    [
        ("+5215512345678", "+525512345678"),
        ("+525512345678", "+5215512345678"),
        ("+5491123456789", "+541123456789"),
        ("+541123456789", "+5491123456789"),
    ],
)
def test_a_crm_is_asked_for_the_old_and_the_new_notation(client, crm, number, twin):
    _found(client, crm.user(), number)
    asked = crm.searched()
    if crm.platform in ("testCRM", "pipedrive", "redtail"):  # they find a part of a number, or national digits
        assert any(text in number and text in twin for text in asked)
    else:
        assert any(number.lstrip("+") in text for text in asked)
        assert any(twin.lstrip("+") in text for text in asked)
    if number.startswith("+54") and crm.platform in ("testCRM", "pipedrive", "redtail", "bullhorn"):
        assert any("111523456789" in text for text in asked)


#: Searches for one number of the US, of Mexico and of Argentina, without formats of the user.
BUDGETS = {
    "testCRM": (1, 1, 2),
    "exampleCRM": (1, 2, 2),
    "clio": (1, 2, 2),
    "bullhorn": (3, 3, 3),
    "pipedrive": (1, 1, 2),
    "insightly": (8, 12, 16),
    "redtail": (1, 1, 3),
}


def test_few_searches_are_sent(client, crm):
    user, spent = crm.user(), []
    for number in (NUMBER, "+5215512345678", "+5491123456789"):
        crm.requests.clear()
        _found(client, user, number)
        spent.append(len(crm.searched()))
    assert tuple(spent) == BUDGETS[crm.platform]
