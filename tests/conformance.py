"""The rules of the conformance kit: each takes an adapter or one of its cases and lists the faults as sentences."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from adapters import registry
from adapters.contract import (
    ConnectorError,
    ContactMatches,
    Credentials,
    CredentialsRejected,
    CrmAdapter,
    CrmUnavailable,
    Id,
    LoggedCall,
    LogResult,
    Manifest,
    RecordNotFound,
    RequestRejected,
    UnsupportedOperation,
)
from adapters.contract.manifest import OPTIONAL_OPERATIONS
from adapters.contract.outbound_guard import refusal
from tests.comparison import mismatch, told
from tests.contract_types import type_fault
from tests.exchanges import Case, Outcome, Prepared, Sent, cases_of, hints_of
from tests.failures import (
    changes_nothing,
    expected_errors,
    explained,
    failures,
    is_verdict,
    may_have_been_applied,
    passing_failures,
)
from tests.played import Failure
from tests.private_values import Private, leaked, private_values

REQUIRED = (
    "user_profile",
    "revoke",
    "find_contacts",
    "create_contact",
    "create_call_log",
    "get_call_log",
    "update_call_log",
    "create_message_log",
    "update_message_log",
)
#: Exchanges of one case with the same method and path that are made to fail: more of them tell nothing new.
_MOST_ALIKE = 2
#: Cases that share the failures of a situation, after one that has met all of them.
_SHARERS = 8
#: (name of the case, index of the exchange) -> how many were in the same situation before.
Turns = dict[tuple[str, int], int]
#: Methods with a default that need a case only where an adapter has its own.
_WHERE_OVERRIDDEN = ("new_contact_offer", "get_call_logs", "setting_options", "handle_route")
_FURTHER_CASES = {
    "find_contacts": ("none", "several"),
    "find_contacts_by_name": ("none", "several"),
    "find_call_log": ("none",),
    "find_message_log": ("none",),
}
_WRITES = (
    "create_contact",
    "create_call_log",
    "update_call_log",
    "set_disposition",
    "create_message_log",
    "update_message_log",
)
_LOGINS = ("exchange_code", "refresh", "login")
_GIVEN_KEYS = frozenset(("source", "now", "user", "credentials", "options", "secrets", "cache", "call"))
_CASE_KEYS = _GIVEN_KEYS | {"exchanges", "expect", "created", "kept", "cache_after"}
_EXCHANGE_KEYS = {
    "request": frozenset(("method", "url", "query", "json", "form", "headers")),
    "response": frozenset(("status", "json", "text", "headers", "error")),
}
_NO_SUCH_RECORD = ("404", "410")
_SEARCHES = ("find_call_log", "find_message_log")


# --- 3 coverage ------------------------------------------------------------------------------------


def coverage_faults(platform: str) -> list[str]:
    """Cases that an adapter lacks, unless its manifest exempts it from ``coverage.<operation>__<case>``."""
    manifest = registry.manifests()[platform]
    cases = cases_of(platform)
    names = [case.path.stem for case in cases]
    wanted = [
        f"{operation}__{case}"
        for operation in offered(manifest, registry.adapter_class(platform))
        for case in ("success", *_FURTHER_CASES.get(operation, ()))
    ]
    exempt = {rule.partition(".")[2] for rule in manifest.server.exempt if rule.startswith("coverage.")}
    missing = [name for name in wanted if not any(given.startswith(name) for given in names)]
    faults = [f"there is no case {name}" for name in missing if name not in exempt]
    faults += [f"the exemption coverage.{name} is not needed" for name in exempt if name not in missing]
    faults += [f"{case.path.name} names no operation" for case in cases if not hasattr(CrmAdapter, case.operation)]
    for case in cases:
        document = case.load()
        if case.path.stem.endswith("__success") and _expects_error(document):
            faults.append(f"{case.path.name} expects an error")
        if not document.get("source"):
            faults.append(f"{case.path.name} does not say where it comes from")
        faults += [f"{case.path.name} has the unknown key {key}" for key in _unknown_keys(document)]
    return faults


def _unknown_keys(document: Mapping[str, Any]) -> Iterator[str]:
    """Keys that nothing reads: misspelt, they would turn off what they were written for."""
    yield from sorted(set(document) - _CASE_KEYS)
    for index, exchange in enumerate(document.get("exchanges", [])):
        yield from (f"exchanges.{index}.{key}" for key in sorted(set(exchange) - set(_EXCHANGE_KEYS)))
        for part, known in _EXCHANGE_KEYS.items():
            yield from (f"exchanges.{index}.{part}.{key}" for key in sorted(set(exchange.get(part, {})) - known))


def _expects_error(document: Mapping[str, Any]) -> bool:
    expected = document.get("expect")
    return isinstance(expected, dict) and "raises" in expected


def offered(manifest: Manifest, adapter: type[CrmAdapter]) -> list[str]:
    """The operations an adapter has to have cases for."""
    own = [name for name in _WHERE_OVERRIDDEN if getattr(adapter, name) is not getattr(CrmAdapter, name)]
    login = ["exchange_code", "refresh"] if manifest.server.auth.type == "oauth" else ["login"]
    optional = [name for name in OPTIONAL_OPERATIONS if name in manifest.server.capabilities]
    return list(dict.fromkeys([*REQUIRED, *login, *own, *optional]))


# --- 4 golden, 5 types -----------------------------------------------------------------------------


def golden_faults(document: Mapping[str, Any], outcome: Outcome) -> Iterator[str]:
    """Ways in which a case was not what its fixture says."""
    if outcome.unmatched:
        yield outcome.unmatched[0]
    elif outcome.error is not None and not _expects_error(document):
        yield f"{type(outcome.error).__name__} was raised: {told(outcome.error)}"
    else:
        yield from filter(None, [mismatch(document.get("expect"), outcome.error or outcome.result)])
    if outcome.unused:
        yield f"requests never sent: {outcome.unused}"
    for key, values in (("created", outcome.created), ("kept", outcome.kept), ("cache_after", outcome.cache)):
        if key in document and (found := mismatch(document[key], values, key)):
            yield found


def type_faults(case: Case, outcome: Outcome) -> Iterator[str]:
    """Values that are not what the contract says: the result, ids reported, credentials and facts kept."""
    if outcome.error is None:
        yield from filter(None, [type_fault(_returns(case), outcome.result, "the result")])
    for value in outcome.created:
        yield from filter(None, [type_fault(Id, value, "the id reported")])
    for value in outcome.kept:
        yield from filter(None, [type_fault(Credentials, value, "the credentials kept")])
    yield from filter(None, [type_fault(Mapping[str, Any], outcome.cache, "the cache")])


def _returns(case: Case) -> Any:
    return hints_of(getattr(CrmAdapter, case.operation))["return"]


# --- 6 failures, 7 writes --------------------------------------------------------------------------


def turns_of(cases: Iterable[Case]) -> Turns:
    """Of each exchange that is made to fail, how many were in the same situation before it.

    The same situation: the same operation asks the same, after the same requests were answered with the same statuses.
    Successes come first.
    """
    met: Counter[tuple[Any, ...]] = Counter()
    turns: Turns = {}
    for case in sorted(cases, key=lambda case: (not case.path.stem.endswith("__success"), case.path.stem)):
        document = case.load()
        tried = dict(_tried(document))
        before: dict[Any, None] = {}
        for index, exchange in enumerate(document.get("exchanges", [])):
            kind, response = _kind_of(exchange), exchange["response"]
            if index in tried:
                situation = (case.operation, tuple(before), kind)
                turns[case.path.stem, index] = met[situation]
                met[situation] += 1
            before[kind, response.get("status"), response.get("error")] = None
    return turns


def _tried(document: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The exchanges of a case that are made to fail, each with its index: of many alike the first two."""
    alike: Counter[tuple[str, str]] = Counter()
    for index, exchange in enumerate(document.get("exchanges", [])):
        kind = _kind_of(exchange)
        alike[kind] += 1
        if alike[kind] <= _MOST_ALIKE:
            yield index, exchange


def _kind_of(exchange: Mapping[str, Any]) -> tuple[str, str]:
    request = exchange["request"]
    return request["method"], re.sub(r"\d+", "#", request["url"].split("?")[0])


def runs_with_failures(
    case: Case, document: Mapping[str, Any], turns: Turns | None = None
) -> Iterator[tuple[Failure, Outcome]]:
    """Runs a case once for each of its exchanges and each failure there.

    With ``turns`` the first exchange in a situation meets every failure, and those after it share them: the second
    meets the first, ninth, seventeenth ..., the third the second, tenth ...
    """
    repeated = " and ".join(private_values(document).numbers) or "+1 650 555 0100"
    table, prepared = list(failures(repeated)), Prepared(case, document)
    if case.path.stem.endswith("__success"):  # what they come to does not depend on the case
        table += passing_failures()
    for index, exchange in _tried(document):
        turn = (turns or {}).get((case.path.stem, index), 0)
        for entry in table[(turn - 1) % _SHARERS :: _SHARERS] if turn else table:
            if not changes_nothing(entry, exchange["response"]):
                failure = Failure(entry.name, entry.answer, index)
                outcome = prepared.run(failure)
                if any(sent.failed for sent in outcome.sent):
                    yield failure, outcome


def where(failure: Failure, document: Mapping[str, Any]) -> str:
    """The exchange and the failure in words."""
    request = document["exchanges"][failure.index]["request"]
    return f"{request['method']} {request['url']} answered by '{failure.name}'"


def failure_faults(case: Case, failure: Failure, outcome: Outcome, recorded: Outcome) -> Iterator[str]:
    """What is wrong with an adapter's answer to a failure; ``recorded``: its answer where nothing failed."""
    error = outcome.error
    if error is None:
        yield from type_faults(case, outcome)
        yield from _passed_over(case, failure, outcome, recorded)
        return
    if not isinstance(error, ConnectorError):
        yield f"{type(error).__name__} escaped: {told(error)}"
        return
    allowed = _allowed_errors(case, failure, outcome)
    if not isinstance(error, (*allowed, type(recorded.error))):
        names = " or ".join(sorted(kind.__name__ for kind in allowed))
        yield f"{type(error).__name__} ({error.reason}) was raised, not {names}"
    if failure.name == "429 with Retry-After" and recorded.error is None and error.try_later and error.retry_after != 7:
        yield f"the vendor asked for 7 seconds, the error says {error.retry_after}"
    if case.operation in _WRITES:
        yield from _maybe_applied(failure, outcome, error)


def blind_edits(case: Case, failure: Failure, outcome: Outcome, document: Mapping[str, Any]) -> Iterator[str]:
    """An edit on top of a body that could not be read: it would wipe what people wrote.

    The first request of these operations reads the record. Texts in place of all members may be its body.
    """
    first = document["exchanges"][0]["request"]["method"] if document.get("exchanges") else ""
    if failure.index or first != "GET" or failure.name == "shape: members":
        return
    if case.operation == "update_message_log" and any(not sent.is_read for sent in outcome.sent):
        yield "something was written although the log could not be read"
    if case.operation in ("get_call_log", "get_call_logs") and outcome.error is None:
        results = outcome.result if isinstance(outcome.result, list) else [outcome.result]
        if any(isinstance(result, LoggedCall) and not result.body for result in results):
            yield "a body that could not be read was taken for an empty one"


def _allowed_errors(case: Case, failure: Failure, outcome: Outcome) -> set[type[ConnectorError]]:
    allowed = expected_errors(outcome, is_login=case.operation in _LOGINS)
    if case.operation in _WRITES and any(sent.failed and sent.is_read for sent in outcome.sent):
        allowed.add(CrmUnavailable)  # what fails before the write is no verdict on it
        if failure.name in _NO_SUCH_RECORD:
            allowed.add(RequestRejected)  # a log cannot be written for a contact that is gone
    if failure.name in ("403", *_NO_SUCH_RECORD) and case.operation in _SEARCHES:
        # A user who may not search, or whose contact is gone, is as well off as one of a CRM without search.
        allowed.add(UnsupportedOperation)
    # Rows whose members all have another type look like rows of something else: "not among them" is true of those.
    return {*allowed, RecordNotFound, RequestRejected} if failure.name == "shape: leaves" else allowed


def _maybe_applied(failure: Failure, outcome: Outcome, error: ConnectorError) -> Iterator[str]:
    """``maybe_applied`` says whether a write is in doubt; where an earlier one was carried out either may be said."""
    writes = [sent for sent in outcome.sent if not sent.is_read and sent.kind != "token"]
    if any(not sent.failed for sent in writes):
        return
    doubts = [sent for sent in writes if may_have_been_applied(failure) and not is_verdict(sent, outcome)]
    if error.maybe_applied and not doubts:
        yield f"{type(error).__name__} ({error.reason}) says maybe_applied, but nothing can have been written"
    if doubts and doubts[-1] is outcome.sent[-1] and doubts[-1].kind == "api" and not error.maybe_applied:
        yield f"{type(error).__name__} ({error.reason}) denies maybe_applied, but the write may have been carried out"


def _passed_over(case: Case, failure: Failure, outcome: Outcome, recorded: Outcome) -> Iterator[str]:
    """A failure may be tolerated, but not hidden: "nobody found" must mean that the CRM said so."""
    result = outcome.result
    if failure.name in (*_NO_SUCH_RECORD, "shape: leaves"):  # the latter look like rows of something else
        return
    if RecordNotFound in expected_errors(outcome, is_login=False):
        return
    if case.operation == "validate_session" and result is False and not _refused_login(outcome):
        yield "the session is called invalid, though the CRM did not refuse it"
    if case.operation in _SEARCHES and result is None and recorded.error is None:
        yield "the log is said not to be there, though the CRM did not say so"
    if isinstance(result, ContactMatches) and isinstance(recorded.result, ContactMatches) and result.notice is None:
        lost = {contact.id for contact in recorded.result.contacts} - {contact.id for contact in result.contacts}
        if lost and failure.name != "403":  # people whom the user may never see are none of theirs
            yield f"{len(lost)} contact(s) are missing and nobody is told"
    if isinstance(result, LogResult) and result.notice is None and _lost_writes(outcome):
        yield "a write failed and nobody is told"


def _refused_login(outcome: Outcome) -> bool:
    return any(
        sent.answer.get("status") == 401 or isinstance(explained(sent, outcome), CredentialsRejected)
        for sent in outcome.sent
    )


def _lost_writes(outcome: Outcome) -> list[Sent]:
    """Writes refused or not answered, and neither done again nor looked for afterwards with success.

    What stands in a success is of interest only where the adapter needs it.
    """
    return [
        sent
        for index, sent in enumerate(outcome.sent)
        if sent.failed
        and not sent.is_read
        and sent.kind == "api"
        and not 200 <= sent.answer.get("status", 0) < 300
        and not any(_settles(later, sent) for later in outcome.sent[index + 1 :])
    ]


def _settles(later: Sent, write: Sent) -> bool:
    return not later.failed and (later.is_read or later.identity == write.identity)


def repeated_writes(outcome: Outcome, recorded: Outcome) -> list[str]:
    """Writes that were sent again after an answer that leaves open whether they were carried out.

    Where no connection was made nothing was sent. What the recorded run sends several times is meant to be.
    """
    meant = Counter(sent.identity for sent in recorded.sent)
    times = Counter(
        sent.identity for sent in outcome.sent if not sent.is_read and sent.answer.get("error") != "connect"
    )
    return [
        f"{method} {url.partition('?')[0]} was sent {count} times"
        for (method, url, body), count in times.items()
        if count > max(1, meant[method, url, body])
    ]


# --- 9 hygiene -------------------------------------------------------------------------------------


def request_faults(manifest: Manifest, outcome: Outcome) -> Iterator[str]:
    """Requests that went elsewhere, without a time limit, or past the HTTP client."""
    hosts = tuple(outcome.adapter.http.hosts) if outcome.adapter else ()
    for sent in outcome.sent:
        if _refusal(sent.url, (*hosts, *sent.hosts), allow_plain_http=manifest.server.sandbox):
            yield f"a request left the hosts of the manifest: {sent.url.partition('?')[0]}"
        if not sent.has_timeout:
            yield f"a request has no timeout: {sent.url.partition('?')[0]}"
        if sent.kind == "outside":
            yield f"a request went past the HTTP client: {sent.url.partition('?')[0]}"


@lru_cache(maxsize=1000)
def _refusal(url: str, hosts: Sequence[str], *, allow_plain_http: bool) -> str:
    return refusal(url, hosts, allow_plain_http=allow_plain_http)


def leak_faults(private: Private, outcome: Outcome, records: list[logging.LogRecord]) -> Iterator[str]:
    """Secrets, numbers and names of the case in a log line or an error."""
    for record in records:
        text = f"{record.getMessage()} {record.__dict__}"
        yield from (f"a log line holds {what}: {record.getMessage()}" for what in leaked(private, text))
    error = outcome.error
    if isinstance(error, ConnectorError):
        text = f"{error} {error.message} {error.reason} {error!r}"
        yield from (f"an error holds {what}: {error} ({error.reason})" for what in leaked(private, text))


@contextmanager
def log_records() -> Iterator[list[logging.LogRecord]]:
    """Everything logged meanwhile, by whatever logger and at whatever level; it is not printed."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign]
    root = logging.getLogger()
    level, handlers = root.level, root.handlers
    root.handlers = [handler]
    root.setLevel(logging.DEBUG)
    try:
        yield records
    finally:
        root.handlers = handlers
        root.setLevel(level)


# --- 10 exemptions ---------------------------------------------------------------------------------


def not_exempt(manifest: Manifest, rule: str, case: Case, faults: Iterable[str]) -> list[str]:
    """The faults, unless the manifest exempts the case, its operation or the whole rule with a reason."""
    names = {rule, f"{rule}.{case.operation}", f"{rule}.{case.path.stem}"}
    return [] if names & set(manifest.server.exempt) else list(dict.fromkeys(faults))
