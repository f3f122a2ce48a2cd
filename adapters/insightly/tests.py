"""What fixtures cannot say about Insightly: zone names and addresses."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from adapters.contract import AccessDenied, CredentialsRejected, RateLimited, RecordNotFound, Reply, RequestRejected
from adapters.insightly.hosts import api_origin, page_host
from adapters.insightly.links import chosen, missing_links, wanted_links
from adapters.insightly.replies import explain
from adapters.insightly.zones import _IANA, iana_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Pacific Standard Time", "America/Los_Angeles"),
        ("w. australia standard time", "Australia/Perth"),
        ("US Mountain Standard Time", "America/Phoenix"),
        ("Central European Standard Time", "Europe/Warsaw"),
        ("Europe/Berlin", "Europe/Berlin"),
        ("Nowhere Standard Time", ""),
        ("", ""),
    ],
)
def test_a_zone_is_known_by_its_windows_and_its_iana_name(name: str, expected: str) -> None:
    assert iana_name(name) == expected


def test_every_listed_zone_exists() -> None:
    assert len(_IANA) > 130
    assert all(ZoneInfo(name).key == name for name in _IANA.values())


@pytest.mark.parametrize(
    "url",
    [
        "https://api.na1.insightly.com/v3.1/",
        " https://API.na1.insightly.com ",
        "https://api.na1.insightly.com:443/v3.1",
    ],
)
def test_a_pasted_api_url_is_cut_to_scheme_and_host(url: str) -> None:
    assert api_origin(url) == "https://api.na1.insightly.com"


def test_a_host_that_begins_with_v_stays_whole() -> None:
    assert api_origin("https://v2.insightly.com/v3.1/") == "https://v2.insightly.com"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://api.na1.insightly.com",
        "https://insightly.com.example.com",
        "https://notinsightly.com",
        "https://api.na1.insightly.com@example.com/",
        "https://user@api.na1.insightly.com/",
        "https://api.na1.insightly.com:8443/",
        "https://[::1",
    ],
)
def test_a_key_is_sent_to_no_other_address(url: str) -> None:
    with pytest.raises(RequestRejected):
        api_origin(url)


def test_page_links_use_only_hosts_of_insightly() -> None:
    assert page_host("crm.na1.insightly.com") == "crm.na1.insightly.com"
    assert page_host("evil.example.com") == ""


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (401, CredentialsRejected, "Connect again"),
        (402, RateLimited, "record limit"),
        (403, AccessDenied, "permission"),
        (404, RecordNotFound, "no longer exists"),
    ],
)
def test_a_refusal_says_what_the_user_can_do(status: int, kind: type[Exception], words: str) -> None:
    error = explain(Reply(status=status, headers={}, body={"Message": "Refused."}, is_json=True))
    assert type(error) is kind
    assert words in str(error)
    assert error is not None
    assert (error.reason, error.status) == ("Refused.", status)


def test_other_answers_are_left_to_the_standard_table() -> None:
    assert explain(Reply(status=400, headers={}, body={"Message": "Invalid field."}, is_json=True)) is None
    assert explain(Reply(status=503, headers={}, body=None)) is None


@pytest.mark.parametrize(
    ("headers", "wait", "words"),
    [
        ({"x-ratelimit-remaining": "812"}, 1.0, "Rate limit"),
        ({"x-ratelimit-remaining": "812", "retry-after": "2"}, 2.0, "Rate limit"),
        ({"retry-after": "0"}, 1.0, "Rate limit"),
        ({"x-ratelimit-remaining": "0"}, 3600.0, "daily"),
        ({"x-ratelimit-remaining": "0", "retry-after": "7200"}, 7200.0, "daily"),
    ],
)
def test_a_burst_and_a_used_up_day_are_told_apart(headers: dict[str, str], wait: float, words: str) -> None:
    error = explain(Reply(status=429, headers=headers, body=None))
    assert isinstance(error, RateLimited)
    assert error.retry_after == wait
    assert words in str(error)


def test_a_new_event_is_linked_to_the_person_and_to_what_was_chosen() -> None:
    links = wanted_links("lead", "71", {"organization": "8", "opportunity": None, "project": 9})
    assert [(link["LINK_OBJECT_NAME"], link["LINK_OBJECT_ID"]) for link in links] == [
        ("Lead", 71),
        ("Organisation", 8),
        ("Project", 9),
    ]


def test_a_removed_choice_is_told_from_one_that_was_not_shown() -> None:
    assert chosen({"opportunity": None, "organization": ""}) == {"organisation": None, "opportunity": None}
    assert chosen({"organization": "", "organisation": 4}) == {"organisation": 4}


def test_only_links_the_record_lacks_are_added() -> None:
    wanted = wanted_links("Contact", 5, {"project": "9"})
    record = {"LINKS": [{"LINK_OBJECT_NAME": "contact", "LINK_OBJECT_ID": "5"}]}
    assert [link["LINK_OBJECT_ID"] for link in missing_links(record, wanted)] == [9]
    assert missing_links({"LINKS": None}, wanted) == wanted
