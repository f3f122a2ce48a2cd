"""Under a tight pace the notation in which an account keeps its numbers is asked for first."""

from __future__ import annotations

import pytest

from adapters.contract import Reply, parse_phone
from adapters.insightly.lookup import CAREFUL_KEY, Lookup
from adapters.insightly.people import CONTACT

FORMATS = ["(***) ***-****", "***-***-****", "***.***.****", "*** *** ****"]
FIELDS = [(CONTACT, "PHONE", False)]


class Cache:
    """Facts of an account whose quota runs low."""

    def __init__(self):
        self.kept = {CAREFUL_KEY: True}

    def get(self, key, *, max_age):
        return self.kept.get(key)

    def put(self, key, value):
        if key != CAREFUL_KEY:  # it goes on running low
            self.kept[key] = value


class Vendor:
    """Knows people by their numbers as they are written; notes what it was asked for."""

    def __init__(self, *numbers):
        self.numbers = numbers
        self.asked = []

    def send(self, method, url, *, params, **options):
        number = params["field_value"]
        self.asked.append(number)
        person = {"CONTACT_ID": 7, "FIRST_NAME": "Ada", "LAST_NAME": "Fox", "PHONE": number, "LINKS": []}
        body = [person] if number in self.numbers else []
        return Reply(status=200, headers={}, body=body, is_json=True, url=url)


@pytest.fixture
def cache():
    return Cache()


def ask(vendor, cache, number):
    phone = parse_phone(number, formats=",".join(FORMATS))
    found = Lookup(http=vendor, cache=cache, user_id=1).search_numbers(phone, phone.variants, FIELDS)
    asked, vendor.asked = vendor.asked, []
    return [hit.phone for hit in found], asked, phone.variants


def test_the_notation_that_hit_before_is_asked_first_for_another_number(cache):
    vendor = Vendor("415.555.0100", "415.555.0101", "415.555.0102")
    hits, asked, variants = ask(vendor, cache, "+14155550100")
    assert (hits, asked) == (["415.555.0100"], list(variants[: variants.index("415.555.0100") + 1]))
    assert ask(vendor, cache, "+14155550101")[:2] == (["415.555.0101"], ["415.555.0101"])


def test_the_notation_that_hits_most_comes_before_the_one_that_hit_last(cache):
    vendor = Vendor("415.555.0100", "415.555.0101", "415-555-0102", "415.555.0103")
    for last in range(3):
        ask(vendor, cache, f"+1415555010{last}")
    assert ask(vendor, cache, "+14155550103")[1] == ["415.555.0103"]


def test_every_notation_is_asked_before_nobody_is_answered(cache):
    ask(Vendor("415.555.0100"), cache, "+14155550100")
    hits, asked, variants = ask(Vendor(), cache, "+14155550199")
    assert hits == []
    assert sorted(asked) == sorted(variants)


def test_where_all_fit_together_nothing_is_noted(cache):
    cache.kept.clear()
    ask(Vendor("415.555.0100"), cache, "+14155550100")
    assert "notations that hit" not in cache.kept
