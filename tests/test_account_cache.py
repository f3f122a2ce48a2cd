"""Facts of a CRM account that its users share: kept for long enough."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache as django_cache
from django.core.management import call_command
from django.test import override_settings

from config import settings as real
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
