"""Facts of a CRM account that its users share: kept for long enough, and made by one request at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.cache import cache as django_cache
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from adapters.contract import CrmUnavailable, parse_phone
from config import settings as real
from connectors.services import account_cache, contacts
from connectors.services.account_cache import SharedAccountCache


@pytest.fixture
def database_cache(transactional_db):
    """The cache of an installation without Redis."""
    with override_settings(CACHES={"default": {**real.CACHES["default"], "LOCATION": "cache_of_a_test"}}):
        call_command("createcachetable", verbosity=0)
        yield
        django_cache.clear()


def _cache(owner="firm-1"):
    return SharedAccountCache(platform="testCRM", owner=owner)


def test_facts_of_many_accounts_are_kept_side_by_side(database_cache):
    accounts = [_cache(f"firm-{number}") for number in range(400)]
    for number, cache in enumerate(accounts):
        cache.put("company", number)

    assert [cache.get("company", max_age=timedelta(hours=1)) for cache in accounts] == list(range(400))


def test_what_must_exist_once_is_made_by_one_request_at_a_time(database_cache):
    made = []
    together = threading.Barrier(6)

    def make(_):
        cache = _cache()
        together.wait()
        with cache.only_one("company"):
            if cache.get("company", max_age=timedelta(hours=1)) is None:
                time.sleep(0.05)
                made.append(1)
                cache.put("company", 41)
        connection.close()  # this thread's own

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(make, range(6)))

    assert made == [1]


def test_another_account_and_another_fact_do_not_wait(database_cache):
    with _cache().only_one("company"), _cache("firm-2").only_one("company"), _cache().only_one("categories"):
        pass


def test_who_waits_too_long_is_told_to_try_again(database_cache, monkeypatch):
    monkeypatch.setattr(account_cache, "_WAIT_FOR_OTHER", 0.1)
    with _cache().only_one("company"), pytest.raises(CrmUnavailable, match="try again"), _cache().only_one("company"):
        pass
    with _cache().only_one("company"):
        pass


def test_the_right_is_given_back_after_an_error(database_cache):
    with pytest.raises(ZeroDivisionError), _cache().only_one("company"):
        raise ZeroDivisionError
    with _cache().only_one("company"):
        pass


def test_which_numbers_were_looked_up_is_not_told_by_the_keys_of_what_is_kept(settings):
    number = parse_phone("+16505550112")
    before = contacts._key(number)
    settings.HASH_KEY = "another"
    assert contacts._key(number) != before
