"""Names that caller ids write last name first."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import last_first, natural_name
from connectors.api.authentication import issue_token
from tests.stored_contacts import stored

PEOPLE = {
    "Smith, John": ("John", "Smith"),
    "de la Cruz, Maria": ("Maria", "de la Cruz"),
    "SMITH,JOHN": ("JOHN", "SMITH"),
    "  O'Brien ,  Mary Ann ": ("Mary Ann", "O'Brien"),
    "Smith\uff0c John": ("John", "Smith"),
    "Müller-Lüdenscheidt, Dr. Karl": ("Dr. Karl", "Müller-Lüdenscheidt"),
    "Smith, Incarnacion": ("Incarnacion", "Smith"),
    "Smith, Coleman": ("Coleman", "Smith"),
    "Church, Emma": ("Emma", "Church"),
    "Smith Jr., John": ("John", "Smith Jr."),
    "Li, Na": ("Na", "Li"),
    "Nguyen, Se": ("Se", "Nguyen"),
    "Kim, Sa": ("Sa", "Kim"),
    "Smith, Jordan": ("Jordan", "Smith"),
    "Silva, Washington": ("Washington", "Silva"),
    "Lee, Al": ("Al", "Lee"),
    "Garcia Lopez, Ana": ("Ana", "Garcia Lopez"),
    "Smith, J.": ("J.", "Smith"),
    "Smith, TJ": ("TJ", "Smith"),
    "DE LA CRUZ, ANA": ("ANA", "DE LA CRUZ"),
    "山田、太郎": ("太郎", "山田"),
    "كريم، محمد": ("محمد", "كريم"),
}
AS_TYPED = (
    "Acme, Inc.",
    "Acme, INC",
    "Acme, L.L.C.",
    "Acme, Ltd",
    "Muster, GmbH",
    "Muster, GmbH & Co. KG",
    "John Smith, Jr.",
    "John Smith, Sr",
    "John Smith, II",
    "John Smith, III",
    "John Smith, M.D.",
    "John Smith, Ph.D.",
    "Acme, S.A.",
    "Smith, Jones & Partners",
    "Smith, Jones, Brown",
    "John Smith",
    "Smith,",
    ", John",
    ",",
    "",
    "Smith, 2nd floor",
    "Acme Corp, London",
    "First Bank, Boston",
    "Acme, Sp. z o.o.",
    "Acme, Holdings",
    "San Francisco, CA",
    "OAKLAND,CA",
    "Austin, TX 78701",
    "Toronto, ON",
    "Toronto, Ontario",
    "Washington, D.C.",
    "Berlin, Germany",
    "Paris, France",
    *(f"John Smith, {word}" for word in ("Realtor", "DO", "LPC", "LMT", "RPh", "CEO", "Attorney", "V", "FNP-C")),
    "John Smith, CFP®",
    "Acme, a.s.",
    "Acme, ООО",
    "Acme, Co",
    "Acme, Oy",
    "Acme, SE",
    "Acme, SA",
    "田中、株式会社",
)


@pytest.mark.parametrize(("typed", "name"), PEOPLE.items())
def test_a_last_name_before_a_comma_is_the_last_name(typed, name):
    assert last_first(typed) == name
    assert natural_name(typed) == " ".join(name)


@pytest.mark.parametrize("typed", AS_TYPED)
def test_companies_and_additions_stay_as_they_are_typed(typed):
    assert last_first(typed) is None
    assert natural_name(typed) == typed


@given(st.text(st.sampled_from("ab ,.&1"), max_size=12))
def test_no_letter_of_a_name_is_lost(typed):
    assert sorted(natural_name(typed).replace(" ", "")) == sorted(
        typed.replace(" ", "") if last_first(typed) is None else typed.replace(" ", "").replace(",", "")
    )


def _create(client, crm, name, contact_type=None):
    body = {"phoneNumber": "+14155550123", "newContactName": name, "additionalSubmission": {}}
    body["newContactType"] = crm.kind.contact_type if contact_type is None else contact_type
    token = issue_token(crm.user())
    return client.post(f"/contact?jwtToken={token}", body, content_type="application/json").json()["contact"]


#: Where a CRM keeps the parts of a name, or splits the whole itself.
PARTS = {
    "bullhorn": ("firstName", "lastName"),
    "insightly": ("FIRST_NAME", "LAST_NAME"),
    "redtail": ("first_name", "last_name"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["bullhorn", "clio", "insightly", "pipedrive", "redtail"])
@pytest.mark.parametrize("typed", ["Smith, John", "de la Cruz, Maria"])
def test_a_new_contact_gets_first_and_last_name(client, platform, typed):
    first, last = PEOPLE[typed]
    with stored(platform) as crm:
        assert _create(client, crm, typed)["name"] == f"{first} {last}"
        [written] = crm.written()
    if platform in PARTS:
        assert tuple(written[part] for part in PARTS[platform]) == (first, last)
        assert written.get("name", f"{first} {last}") == f"{first} {last}"
    else:
        assert f'"name": "{first} {last}"' in json.dumps(written)


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["bullhorn", "clio", "insightly", "pipedrive", "redtail", "testCRM", "exampleCRM"])
def test_a_company_is_created_as_typed(client, platform):
    with stored(platform) as crm:
        assert _create(client, crm, "Acme, Inc.")["name"] == "Acme, Inc."


@pytest.mark.django_db
def test_a_company_of_clio_keeps_its_comma(client):
    with stored("clio") as crm:
        assert _create(client, crm, "Smith, Jones", "Company")["name"] == "Smith, Jones"
