"""CRM users mapped to RingCentral users: matched by e-mail and name, stored, and kept through the client's own save."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache
from hypothesis import given
from hypothesis import strategies as st

from adapters.contract import CrmUnavailable, DirectoryUser, UnsupportedOperation
from connectors.api import settings as settings_api
from connectors.api.authentication import issue_token
from connectors.models import AccountSettings
from connectors.services.identity import RingCentralIdentity, hashed
from connectors.services.mapping_rules import Extension, matched, merged
from tests.factories import CrmUserFactory

ACCOUNT = "400131"
ADMIN = RingCentralIdentity(account_id=ACCOUNT, extension_id="101", is_admin=True)
USERS = (
    DirectoryUser(id=7, name="Ada Byron", email="ada@acme.example"),
    DirectoryUser(id=8, name="Grace Hopper", email=""),
    DirectoryUser(id=9, name="", email=""),
)
EXTENSIONS = [
    {"id": 101, "name": "A. Byron", "email": "ADA@acme.example ", "extensionNumber": "1"},
    {"id": 102, "firstName": "Grace", "lastName": "Hopper", "extensionNumber": "2"},
    {"id": 103, "name": "", "email": ""},
    {"id": 104},
    {"id": 105, "name": "Somebody Else", "email": "else@acme.example"},
]


class Administrator:
    """The extension of an administrator: it keeps what it reads, and sends all of it back."""

    def __init__(self, client, *, bearer=False):
        self.client = client
        self.token = issue_token(CrmUserFactory())
        self.bearer = bearer
        self.settings = {}

    def post(self, path, body, **query):
        headers = {"Authorization": f"Bearer {self.token}"} if self.bearer else {}
        query = "&".join(f"{key}={value}" for key, value in {"rcAccessToken": "t", **query}.items())
        query += "" if self.bearer else f"&jwtToken={self.token}"
        return self.client.post(f"{path}?{query}", json.dumps(body), content_type="application/json", headers=headers)

    def open(self):
        """GET /admin/settings, at the start."""
        query = f"jwtToken={self.token}&rcAccessToken=t"
        self.settings = self.client.get(f"/admin/settings?{query}").json()

    def mapping(self, extensions=EXTENSIONS, path="/admin/userMapping"):
        """Opens the mapping page; the client builds what it will send from the answer."""
        found = self.post(path, {"rcExtensionList": extensions}).json()
        self.settings["userMappings"] = [
            {"crmUserId": row["crmUser"]["id"], "rcExtensionId": row.get("rcUser", {}).get("extensionId", "none")}
            for row in found
        ]
        return {row["crmUser"]["id"]: row.get("rcUser", {}).get("extensionId") for row in found}

    def choose(self, crm_user, extension):
        """Edits one row, and saves."""
        [row] = [row for row in self.settings["userMappings"] if row["crmUserId"] == crm_user]
        row["rcExtensionId"] = extension
        self.save()

    def save(self):
        assert self.post("/admin/settings", {"adminSettings": self.settings}).status_code == 200


def stored():
    account = AccountSettings.objects.get(pk=hashed(ACCOUNT))
    return {str(row["crmUserId"]): row["rcExtensionId"] for row in account.user_mappings}


def store(**mappings):
    rows = [{"crmUserId": key.strip("u"), "rcExtensionId": value} for key, value in mappings.items()]
    AccountSettings.objects.update_or_create(pk=hashed(ACCOUNT), defaults={"user_mappings": rows})


@pytest.fixture
def crm(monkeypatch):
    """What the CRM answers when its users are listed."""

    def answers(outcome):
        def list_users(self):
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr("adapters.testcrm.adapter.Adapter.list_users", list_users)

    monkeypatch.setattr(settings_api, "verify_ringcentral_token", lambda token: ADMIN)
    cache.clear()
    answers(USERS)
    return answers


@pytest.fixture
def admin(client, crm):
    return Administrator(client)


# --- The answer ----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_client_with_its_token_in_the_query_gets_one_object_where_there_is_one(admin):
    found = admin.post("/admin/userMapping", {"rcExtensionList": EXTENSIONS}).json()
    assert found == [
        {
            "crmUser": {"id": 7, "name": "Ada Byron", "email": "ada@acme.example"},
            "rcUser": {
                "extensionId": 101, "name": "A. Byron", "extensionNumber": "1", "email": "ADA@acme.example ",
            },
        },
        {
            "crmUser": {"id": 8, "name": "Grace Hopper", "email": ""},
            "rcUser": {"extensionId": 102, "name": "Grace Hopper", "extensionNumber": "2", "email": ""},
        },
        {"crmUser": {"id": 9, "name": "", "email": ""}},
    ]  # fmt: skip
    assert stored() == {"7": ["101"], "8": ["102"]}


@pytest.mark.django_db
def test_a_client_with_a_bearer_token_gets_lists(client, crm):
    store(u7=["101", "105"])
    found = Administrator(client, bearer=True).post("/admin/userMapping", {"rcExtensionList": EXTENSIONS}).json()
    assert [[one["extensionId"] for one in row["rcUser"]] for row in found] == [[101, 105], [102], []]


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [CrmUnavailable("It is down."), CrmUnavailable()])
def test_a_failure_is_a_text_and_never_a_list(admin, crm, outcome):
    """The client would store an empty list as the mapping of the company."""
    store(u7=["101"])
    crm(outcome)
    for path in ("/admin/userMapping", "/admin/reinitializeUserMapping"):
        reply = admin.post(path, {"rcExtensionList": EXTENSIONS})
        assert reply.status_code == 400
        assert reply.content.startswith(b"The users of Test CRM could not be listed.")
    assert stored() == {"7": ["101"]}


@pytest.mark.django_db
def test_a_crm_that_lists_no_users_has_nobody_and_loses_nothing(admin, crm):
    store(u7=["101"])
    crm(UnsupportedOperation("user list"))
    admin.open()
    assert admin.mapping() == {}
    admin.save()
    assert stored() == {"7": ["101"]}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body", [{}, {"rcExtensionList": None}, {"rcExtensionList": "x"}, {"rcExtensionList": ["x"]}, []]
)
def test_a_request_without_a_list_of_extensions_is_told_so(admin, body):
    store(u7=["101"])
    reply = admin.post("/admin/userMapping", body)
    assert reply.status_code == 400
    assert reply.content.startswith(b"Invalid request: ")
    assert stored() == {"7": ["101"]}


@pytest.mark.django_db
def test_only_an_administrator_maps(admin, monkeypatch):
    nobody = RingCentralIdentity(account_id=ACCOUNT, extension_id="5", is_admin=False)
    monkeypatch.setattr(settings_api, "verify_ringcentral_token", lambda token: nobody)
    for path in ("/admin/userMapping", "/admin/reinitializeUserMapping"):
        assert admin.post(path, {"rcExtensionList": []}).status_code == 403


@pytest.mark.django_db
def test_entries_without_an_id_are_no_extensions(admin):
    odd = [
        {"name": "Grace Hopper"},
        {"id": None},
        {"id": ["1"]},
        {"id": True},
        {"id": "x" * 65},
        {"id": "102", "name": 5},
    ]
    assert set(admin.mapping(odd).values()) == {None}


# --- What is stored, and the client's save -------------------------------------------------------


@pytest.mark.django_db
def test_what_an_administrator_chose_wins_over_a_match(admin):
    store(u7="105", u8="none")
    assert admin.mapping() == {7: 105, 8: None, 9: None}
    assert stored() == {"7": "105", "8": "none"}


@pytest.mark.django_db
def test_an_extension_that_is_mapped_already_is_matched_with_nobody_else(admin):
    store(u99=["102"])
    assert admin.mapping()[8] is None
    assert stored() == {"99": ["102"], "7": ["101"]}


@pytest.mark.django_db
def test_beginning_anew_drops_what_is_stored(admin):
    store(u7="105", u8="none", u99=["7"])
    assert admin.mapping(path="/admin/reinitializeUserMapping") == {7: 101, 8: 102, 9: None}
    assert stored() == {"7": ["101"], "8": ["102"]}


@pytest.mark.django_db
@pytest.mark.parametrize("reads_settings_first", [True, False])
def test_further_extensions_of_a_user_survive_the_clients_save(admin, reads_settings_first):
    store(u7=["101", "105"], u8=["102"])
    if reads_settings_first:
        admin.open()
    assert admin.mapping() == {7: 101, 8: 102, 9: None}
    admin.save()
    assert stored() == {"7": ["101", "105"], "8": ["102"], "9": "none"}
    admin.mapping()
    admin.choose(9, 104)
    assert stored() == {"7": ["101", "105"], "8": ["102"], "9": 104}
    admin.mapping()
    admin.choose(7, 103)
    assert stored()["7"] == ["103", "105"], "the one that was shown is replaced"
    admin.mapping()
    admin.choose(7, 105)
    assert stored()["7"] == ["105", "103"], "another of theirs is shown first from now on"
    admin.mapping()
    admin.choose(7, "none")
    assert stored()["7"] == "none"


@pytest.mark.django_db
def test_an_extension_that_the_client_does_not_list_stays_mapped(admin):
    store(u7=["900", "105"])
    assert admin.mapping()[7] == "900"
    admin.save()
    assert stored()["7"] == ["900", "105"]


@pytest.mark.django_db
def test_two_administrators_change_two_rows_at_once(client, crm):
    one, other = Administrator(client), Administrator(client)
    for each in (one, other):
        each.open()
        each.mapping()
    one.choose(7, 105)
    other.choose(8, 104)
    assert stored() == {"7": 105, "8": 104, "9": "none"}


@pytest.mark.django_db
def test_a_client_that_misread_the_answer_wipes_nothing(admin):
    store(u7=["101", "105"], u8=["102"])
    admin.open()
    for upload in ([], [{"crmUserId": key, "rcExtensionId": "none"} for key in (7, 8, 9)]):
        admin.settings["userMappings"] = upload
        admin.save()
        assert stored() == {"7": ["101", "105"], "8": ["102"]}


# --- Matching ------------------------------------------------------------------------------------


def _match(users, extensions):
    users = [DirectoryUser(id=number, name=name, email=email) for number, (name, email) in enumerate(users)]
    extensions = [Extension(id=100 + number, name=name, email=email) for number, (name, email) in enumerate(extensions)]
    return {int(key): int(found.id) - 100 for key, found in matched(users, extensions).items()}


@pytest.mark.parametrize(
    ("users", "extensions", "expected"),
    [
        ([("", "")], [("", "")], {}),
        ([("Ada", "")], [("Ada", ""), ("", "")], {0: 0}),
        ([("Ada  Byron", "")], [(" ada byron", "x@y")], {0: 0}),
        ([("Ada", "A@X")], [("Ada", "b@x"), ("B", "a@x")], {0: 1}),  # the address is worth more than the name
        ([("Ada", "")], [("Ada", "1@x"), ("Ada", "2@x")], {}),  # two people of one name
        ([("Ada", "a@x"), ("Ada", "b@x")], [("Ada", "b@x")], {1: 0}),
        ([("Ada", ""), ("Ada", "")], [("Ada", "")], {}),
        ([("Ada", "office@x"), ("Bob", "office@x")], [("Bob", "office@x"), ("Ada", "office@x")], {0: 1, 1: 0}),
        ([("Ada", "office@x")], [("Bob", "office@x"), ("Cy", "office@x")], {}),  # a shared address decides nothing
        ([("Bob", "a@x"), ("Ada", "")], [("Ada", "a@x")], {0: 0}),  # each extension is given once
    ],
)
def test_matches(users, extensions, expected):
    assert _match(users, extensions) == expected


_people = st.lists(
    st.tuples(st.sampled_from(["", " ", "Ada", "ADA ", "Bob"]), st.sampled_from(["", "a@x", "A@x", "b@x"]))
)


@given(_people, _people)
def test_a_match_always_has_something_in_common_and_is_nobody_elses(users, extensions):
    found = _match(users, extensions)
    assert len(set(found.values())) == len(found)
    for user, extension in found.items():
        pairs = zip(users[user], extensions[extension], strict=True)
        common = [one for one, other in pairs if one.strip() and one.strip().casefold() == other.strip().casefold()]
        assert common


@given(st.dictionaries(st.sampled_from("789"), st.lists(st.sampled_from("abcd"), unique=True, min_size=1)))
def test_a_save_of_what_was_shown_changes_nothing(mapping):
    rows = [{"crmUserId": key, "rcExtensionId": value} for key, value in mapping.items()]
    shown = [{"crmUserId": int(key), "rcExtensionId": value[0]} for key, value in mapping.items()]
    for seen in (shown, rows, None):
        result = {str(row["crmUserId"]): row["rcExtensionId"] for row in merged(shown, seen, rows)}
        assert {key: value if isinstance(value, list) else [value] for key, value in result.items()} == mapping
