"""The users of a CRM account, for the administrator's mapping, in every CRM that has such a list."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.contract import UnexpectedResponse
from connectors.services.crm_access import with_adapter
from tests.stored_contacts import stored

pytestmark = pytest.mark.django_db

#: The member that holds the id, a user's name, and the answer around some rows.
LISTS = {
    "testCRM": ("id", {"name": "Kim Agent"}, lambda rows: {"users": rows}),
    "clio": ("id", {"name": "Kim Agent"}, lambda rows: {"data": rows}),
    "bullhorn": ("id", {"firstName": "Kim", "lastName": "Agent"}, lambda rows: {"data": rows, "total": len(rows)}),
    "pipedrive": ("id", {"name": "Kim Agent"}, lambda rows: {"data": rows}),
    "insightly": ("USER_ID", {"FIRST_NAME": "Kim", "LAST_NAME": "Agent"}, lambda rows: rows),
    "redtail": (
        "id",
        {"first_name": "Kim", "last_name": "Agent"},
        lambda rows: {"database_users": rows, "meta": {"total_pages": 1}},
    ),
}


def _listed(platform, *ids):
    key, name, answer = LISTS[platform]
    with stored(platform) as crm:
        crm.kind = replace(crm.kind, answer=lambda asked, text: answer([{key: given, **name} for given in ids]))
        users = with_adapter(crm.user(), lambda adapter: adapter.list_users())
    return [(user.id, user.name) for user in users]


@pytest.mark.parametrize("platform", LISTS)
def test_a_user_without_an_id_costs_none_of_the_others(platform):
    assert _listed(platform, 5, None, 6) == [(5, "Kim Agent"), (6, "Kim Agent")]


@pytest.mark.parametrize("platform", LISTS)
def test_a_list_of_which_nothing_can_be_read_is_not_an_empty_one(platform):
    with pytest.raises(UnexpectedResponse):
        _listed(platform, None, None)
