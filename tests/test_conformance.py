"""The conformance kit: every adapter answers its recorded exchanges as its fixtures say."""

from __future__ import annotations

import pytest

from adapters import registry
from adapters.contract import ConnectorError
from tests.exchanges import all_cases, mismatch, run

CASES = [pytest.param(case, id=case.name) for case in all_cases()]
REQUIRED = (
    "user_profile",
    "find_contacts",
    "create_contact",
    "create_call_log",
    "get_call_log",
    "update_call_log",
    "create_message_log",
    "update_message_log",
    "revoke",
)


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_exchange_gives_what_its_fixture_says(case):
    document = case.load()

    outcome = run(case, document)

    assert not outcome.unmatched, outcome.unmatched[0]
    expected = document.get("expect")
    if outcome.error is not None and not (isinstance(expected, dict) and "raises" in expected):
        raise outcome.error
    if outcome.error is not None:
        assert isinstance(outcome.error, ConnectorError), f"{type(outcome.error).__name__} escaped"
    actual = outcome.error if outcome.error is not None else outcome.result
    assert not mismatch(expected, actual), mismatch(expected, actual)
    assert not outcome.unused, f"requests never sent: {outcome.unused}"
    for key, values in (("created", outcome.created), ("kept", outcome.kept), ("cache_after", outcome.cache)):
        if key in document:
            assert not mismatch(document[key], values, key), mismatch(document[key], values, key)


@pytest.mark.parametrize("platform", list(registry.manifests()))
def test_every_operation_an_adapter_offers_has_a_fixture(platform):
    manifest = registry.manifests()[platform]
    covered = {case.operation for case in all_cases() if case.platform == platform}

    missing = {*REQUIRED, *manifest.server.capabilities} - covered - set(manifest.server.exempt)

    assert not missing, f"no fixture for {', '.join(sorted(missing))}"
