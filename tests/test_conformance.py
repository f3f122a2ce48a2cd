"""The conformance kit: every adapter obeys the rules listed in ``adapters/README.md``, in every case it brings."""

from __future__ import annotations

import functools

import pytest

from adapters import registry
from adapters.contract.manifest_checks import problems
from tests.answer_rules import (
    appending_faults,
    contact_id_faults,
    early_id_faults,
    explain_faults,
    missing_member_faults,
    other_number_faults,
    page_faults,
    reading_faults,
)
from tests.conformance import (
    blind_edits,
    coverage_faults,
    failure_faults,
    golden_faults,
    leak_faults,
    log_records,
    not_exempt,
    repeated_writes,
    request_faults,
    runs_with_failures,
    turns_of,
    type_faults,
    where,
)
from tests.exchanges import all_cases, cases_of, run
from tests.login_rules import revoke_faults, state_faults, token_faults
from tests.private_values import private_values

PLATFORMS = list(registry.manifests())
OAUTH = [name for name in PLATFORMS if registry.manifests()[name].server.auth.type == "oauth"]
CASES = [pytest.param(case, id=case.name) for case in all_cases()]


def _successes(*operations):
    return [
        pytest.param(case, id=case.name)
        for platform in OAUTH
        for case in cases_of(platform)
        if case.path.stem in [f"{operation}__success" for operation in operations]
    ]


@functools.cache
def _turns(platform):
    return turns_of(cases_of(platform))


def _listed(faults):
    return "\n".join(faults)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_manifest_and_adapter_fit_each_other_and_the_contract(platform):
    manifest, folder = registry.manifests()[platform], registry.folder_of(platform)

    faults = problems(manifest, folder=folder, adapter=registry.adapter_class(platform))

    assert not faults, _listed(faults)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_operation_an_adapter_offers_has_its_cases(platform):
    faults = coverage_faults(platform)

    assert not faults, _listed(faults)


@pytest.mark.parametrize("case", CASES)
def test_a_recorded_exchange_gives_what_its_fixture_says(case):
    document, manifest = case.load(), registry.manifests()[case.platform]

    with log_records() as records:
        outcome = run(case, document)

    faults = [
        *golden_faults(document, outcome),
        *not_exempt(manifest, "types", case, type_faults(case, outcome)),
        *request_faults(manifest, outcome),
        *leak_faults(private_values(document), outcome, records),
        *not_exempt(manifest, "reading", case, reading_faults(case, outcome)),
        *not_exempt(manifest, "appending", case, appending_faults(case, outcome, document)),
        *not_exempt(manifest, "ids", case, early_id_faults(case, outcome)),
        *not_exempt(manifest, "ids", case, contact_id_faults(outcome, document)),
        *not_exempt(manifest, "numbers", case, other_number_faults(case, document, outcome)),
        *not_exempt(manifest, "pages", case, page_faults(case, outcome)),
    ]
    assert not faults, _listed(faults)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_answer_that_lacks_a_member_is_an_error_of_the_contract_or_does_no_harm(platform):
    manifest = registry.manifests()[platform]

    faults = [
        f"{case.name}: {fault}"
        for case, fault in missing_member_faults(cases_of(platform))
        if not_exempt(manifest, "members", case, [fault])
    ]

    assert not faults, _listed(faults)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_answer_that_says_nothing_but_its_status_keeps_its_meaning(platform):
    case = next(case for case in cases_of(platform) if case.operation == "find_contacts")
    adapter = run(case, case.load()).adapter

    assert not (faults := list(explain_faults(adapter))), _listed(faults)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_failure_at_any_exchange_becomes_the_right_error_and_repeats_no_write(case):
    document, manifest = case.load(), registry.manifests()[case.platform]
    private, recorded = private_values(document), run(case, document)
    faults = []

    with log_records() as records:
        for failure, outcome in runs_with_failures(case, document, _turns(case.platform)):
            found = [
                *not_exempt(manifest, "failures", case, failure_faults(case, failure, outcome, recorded)),
                *not_exempt(manifest, "writes", case, repeated_writes(outcome, recorded)),
                *not_exempt(manifest, "edits", case, blind_edits(case, failure, outcome, document)),
                *request_faults(manifest, outcome),
                *leak_faults(private, outcome, records),
            ]
            faults += [f"{where(failure, document)}: {fault}" for fault in found]
            records.clear()

    assert not faults, _listed(faults)


@pytest.mark.parametrize("platform", OAUTH)
def test_the_state_of_a_login_leads_back_to_its_platform(platform):
    assert not (faults := list(state_faults(registry.manifests()[platform]))), _listed(faults)


@pytest.mark.parametrize("case", _successes("exchange_code", "refresh"))
def test_a_refused_grant_or_a_reply_without_token_ends_the_login(case):
    assert not (faults := list(token_faults(case, case.load()))), _listed(faults)


@pytest.mark.parametrize("case", _successes("revoke"))
def test_a_token_of_the_login_is_what_is_revoked(case):
    document = case.load()

    assert not (faults := list(revoke_faults(document, run(case, document)))), _listed(faults)
