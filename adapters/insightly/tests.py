"""What fixtures cannot say about Insightly: zone names and addresses."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from adapters.contract import RequestRejected
from adapters.insightly.hosts import api_origin, page_host
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
