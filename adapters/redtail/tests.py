"""What a fixture cannot say about Redtail: zones, the categories' cache, secrets in logs, and rounds of requests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses

from adapters.contract import (
    AccountCache,
    AdapterContext,
    Credentials,
    CredentialsRejected,
    HttpClient,
    LoginForm,
    Manifest,
    Options,
    UserProfile,
    parse_phone,
)
from adapters.redtail import activities
from adapters.redtail.adapter import Adapter
from adapters.redtail.categories import category_of
from adapters.redtail.sign_in import page_host

MANIFEST = Manifest.parse((Path(__file__).parent / "manifest.json").read_text(encoding="utf-8"))
API = "https://crm.redtailtechnology.com/api/public/v1"
SUMMER = datetime(2026, 7, 1, 12, tzinfo=UTC)
WINTER = datetime(2026, 1, 1, 12, tzinfo=UTC)
CHOICES = [{"const": 1, "title": "Client Service"}]


class Cache(AccountCache):
    """An account cache whose entries are fresh or stale."""

    def __init__(self, value: Any = None, *, is_fresh: bool = True) -> None:
        self.values = {} if value is None else {"redtail.categories": value}
        self.is_fresh = is_fresh

    def get(self, key: str, *, max_age: timedelta) -> Any:
        assert max_age == timedelta(hours=24)
        return self.values.get(key) if self.is_fresh else None

    def get_stale(self, key: str) -> Any:
        return self.values.get(key)

    def put(self, key: str, value: Any) -> None:
        self.values[key] = value
        self.is_fresh = True

    def forget(self, key: str) -> None:
        self.values.pop(key, None)


def redtail(*, cache: Cache | None = None, user_key: str = "user-key-1", **options: Any) -> Adapter:
    context = AdapterContext(
        manifest=MANIFEST,
        user=UserProfile(id="jane", name="Jane Doe"),
        credentials=Credentials(access_token=user_key),
        options=Options(values=options),
        secrets={"REDTAIL_API_KEY": "partner-key", **MANIFEST.server.settings},
        cache=cache or Cache(),
    )
    http = HttpClient(
        base_url=Adapter.base_url(context), hosts=MANIFEST.server.hosts, headers=Adapter.auth_headers(context)
    )
    return Adapter(http=http, context=context)


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as vendor:
        yield vendor


@pytest.mark.parametrize(
    ("chosen", "moment", "minutes"),
    [
        (None, SUMMER, 0),
        ("", SUMMER, 0),
        ("0", SUMMER, 0),
        (0, SUMMER, 0),
        ("-8", SUMMER, -480),
        (-8, WINTER, -480),
        ("5.75", SUMMER, 345),
        ("-9.5", SUMMER, -570),
        ("14", SUMMER, 840),
        ("330", SUMMER, 330),
        ("-480", SUMMER, -480),
        ("+05:30", SUMMER, 330),
        ("America/New_York", SUMMER, -240),
        ("America/New_York", WINTER, -300),
        ("Nowhere/At_All", SUMMER, 0),
    ],
)
def test_times_are_shown_in_the_zone_of_the_settings(chosen, moment, minutes):
    assert redtail(redtailCustomTimezone=chosen).zone().utcoffset(moment) == timedelta(minutes=minutes)


def test_every_zone_that_the_settings_offer_is_understood():
    items = MANIFEST.client["settings"][0]["items"]
    (offered,) = [item["options"] for item in items if item["id"] == "redtailCustomTimezone"]
    for option in offered:
        offset = redtail(redtailCustomTimezone=option["id"]).zone().utcoffset(WINTER)
        if "/" in option["id"]:
            assert offset < timedelta(0), option  # all of them lie in America or the Pacific
        else:
            assert offset == timedelta(hours=float(option["id"])), option


@pytest.mark.parametrize(
    ("submission", "setting", "category"),
    [
        ({}, None, 2),
        ({}, "", 2),
        ({}, 7, 7),
        ({}, "7", 7),
        ({"category": 3}, 7, 3),
        ({"category": "3"}, None, 3),
        ({"category": "none"}, "7", 7),
        ({"category": True}, None, 2),
        ({"category": "²"}, None, 2),
    ],
)
def test_the_form_decides_the_category_then_the_setting(submission, setting, category):
    assert category_of(submission, Options(values={"defaultCategory": setting})) == category


@pytest.mark.parametrize(
    ("claimed", "used"),
    [
        ("crm.redtailtechnology.com", "crm.redtailtechnology.com"),
        ("smf.crm3.redtailtechnology.com", "smf.crm3.redtailtechnology.com"),
        ("", "crm.redtailtechnology.com"),
        ("redtailtechnology.com.example", "crm.redtailtechnology.com"),
        ("x.example#.redtailtechnology.com", "crm.redtailtechnology.com"),
    ],
)
def test_links_lead_to_redtail_whatever_host_the_caller_names(claimed, used):
    assert page_host(claimed) == used


def test_a_second_look_up_asks_for_contacts_only(vendor):
    vendor.get(f"{API}/contacts/search_basic", json={"contacts": []})
    vendor.get(f"{API}/lists/categories", json={"categories": [{"id": 1, "name": "Client Service"}]})
    adapter = redtail()
    for expected in (2, 3):
        found = adapter.find_contacts(parse_phone("+16505550112"))
        assert [choice.title for choice in found.new_contact.additional_info["category"]] == ["Client Service"]
        assert len(vendor.calls) == expected


def test_yesterdays_categories_serve_while_they_cannot_be_read(vendor):
    vendor.get(f"{API}/contacts/search_basic", json={"contacts": []})
    vendor.get(f"{API}/lists/categories", status=403, json={"message": "User Forbidden"})
    found = redtail(cache=Cache(CHOICES, is_fresh=False)).find_contacts(parse_phone("+16505550112"))
    assert [choice.const for choice in found.new_contact.additional_info["category"]] == [1]


def test_categories_just_read_are_offered_even_if_the_cache_keeps_nothing(vendor):
    class Forgetful(Cache):
        def put(self, key: str, value: Any) -> None:
            pass

    vendor.get(f"{API}/contacts/search_basic", json={"contacts": []})
    vendor.get(f"{API}/lists/categories", json={"categories": [{"id": 1, "name": "Client Service"}]})
    found = redtail(cache=Forgetful()).find_contacts(parse_phone("+16505550112"))
    assert [choice.const for choice in found.new_contact.additional_info["category"]] == [1]


def test_no_more_than_five_pages_of_a_search_are_read(vendor):
    vendor.get(f"{API}/contacts/search_basic", json={"contacts": [], "meta": {"total_pages": 90}})
    redtail(cache=Cache(CHOICES)).find_contacts_by_name("a")
    assert sorted(call.request.params.get("page", "1") for call in vendor.calls) == ["1", "2", "3", "4", "5"]


def test_without_a_key_no_request_is_signed():
    adapter = redtail(user_key="")
    assert adapter.auth_headers(adapter.context) == {}


def test_password_and_keys_of_a_refused_login_are_in_no_log_and_no_error(vendor, caplog):
    vendor.get(f"{API}/authentication", status=401, json={"message": "Invalid username or password"})
    adapter = redtail(user_key="")
    form = LoginForm(fields={"username": "jane", "password": "pass-word-1"})
    with caplog.at_level(logging.DEBUG), pytest.raises(CredentialsRejected) as refused:
        adapter.login(form)
    told = caplog.text + repr(form) + str(vars(refused.value)) + str(refused.value)
    assert "authentication" in told
    header = vendor.calls[0].request.headers["Authorization"].removeprefix("Basic ")
    for secret in ("pass-word-1", "partner-key", header):
        assert secret not in told


@pytest.mark.parametrize("heading", ["<b>Agent notes</b>", '<STRONG class="x">Agent notes</STRONG>'])
def test_a_note_is_known_whatever_the_editor_made_of_its_heading(heading: str):
    body = f"{heading}<br />Line 1<BR>Q &amp; A<br />\n<br />other text"
    assert activities.has_note(body)
    assert not activities.has_note(body.replace("notes", "comments"))
    assert activities.logged_call({"description": body}).note == "Line 1\nQ & A"
    assert activities.logged_call({"description": f"{body}<strong>Call details</strong>"}).note is None
