"""A request is prepared as requests would, at less cost."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from adapters.contract.preparing import without_cookies

ADDRESSES = [
    "https://crm.example.com/v3.1/Contacts/Search",
    "https://crm.example.com:8443/a/b-c_d~e.json",
    "http://localhost:8001/x",
    "https://crm.example.com",
    "https://crm.example.com/",
    "https://crm.example.com/a/",
    "https://crm.example.com/a/../b",
    "https://crm.example.com/.hidden/x",
    "https://crm.example.com//a",
    "https://crm.example.com/a%20b?x=1",
    "https://crm.example.com/a b/ü",
    "https://CRM.example.com/Path",
    "https://bücher.example/a",
]
PARAMETERS: list[Any] = [
    None,
    {},
    {"a": None},
    {"phone": "+1 (415) 555-0100", "deep": True, "top": 5, "sort": "ä&b=c~*"},
    {"a": ["1", None, 2], "b": ("x",), "c": []},
    [("a", "1"), ("a", "2")],
    "a=1&b=2 3",
    {"a": b"bytes"},
]


@pytest.mark.parametrize("params", PARAMETERS, ids=str)
@pytest.mark.parametrize("address", ADDRESSES)
def test_the_address_is_the_one_that_requests_would_send(address, params):
    request = requests.Request("get", address, params=params, headers={"A": "b"}, json=None)
    made, theirs = without_cookies(request), request.prepare()
    assert (made.method, made.url, dict(made.headers), made.body) == (
        theirs.method,
        theirs.url,
        dict(theirs.headers),
        theirs.body,
    )


def test_a_plain_address_is_not_parsed(monkeypatch):
    monkeypatch.setattr(requests.PreparedRequest, "prepare_url", None)
    request = requests.Request("GET", ADDRESSES[0], params={"field_value": "+1 415"})
    assert without_cookies(request).url == f"{ADDRESSES[0]}?field_value=%2B1+415"
