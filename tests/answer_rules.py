"""The rules of the conformance kit about what an adapter makes of answers, each listing its faults as sentences.

``tests.conformance`` has those about bad answers; these are about good ones, and about answers that lack a little of
what the CRM has always sent.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapters.contract import (
    AccessDenied,
    ConnectorError,
    Contact,
    ContactMatches,
    CredentialsRejected,
    CrmAdapter,
    CrmUnavailable,
    LogResult,
    RateLimited,
    Reply,
    parse_phone,
)
from adapters.contract.reply_errors import error_of
from tests.conformance import type_faults
from tests.exchanges import Case, Outcome, Prepared, Sent
from tests.played import Answer, Failure

#: Operations that are asked while nobody wants anything to be written.
READING = frozenset(
    {
        *("user_profile", "refresh_user", "validate_session", "license_status", "list_users", "account_data"),
        *("find_contacts", "find_contacts_by_name", "new_contact_offer"),
        *("find_call_log", "find_message_log", "get_call_log", "get_call_logs"),
    }
)
_READ_METHODS = ("GET", "HEAD", "POST")
_NEW_LOGS = ("create_call_log", "create_message_log")
#: Status -> what it means where the answer says nothing else.
_STANDARD: Mapping[int, type[ConnectorError]] = {
    401: CredentialsRejected,
    403: AccessDenied,
    429: RateLimited,
    **dict.fromkeys((500, 502, 503, 504), CrmUnavailable),
}
#: Answers that say no more than their status, in the forms that CRMs use.
_NEUTRAL: tuple[Any, ...] = (
    {"message": "No."},
    {"error": "No."},
    {"errorMessage": "No."},
    {"success": False, "error": "No."},
    {"error": {"message": "No."}},
    {"errors": ["No."]},
    [{"message": "No."}],
)
#: Beyond this a number is rounded in browsers, so that its digits travel as a text.
_MOST_EXACT = 2**53
#: Answers what no exchange stands for by an empty object: an adapter may ask for more where a member is missing.
_LENIENT = Failure("a member is missing", lambda recorded: recorded, index=-1)
#: Digits of a number that tell it from others where a record leaves the country code out.
_TELLING = 7
#: Members that are true where there is another page; that name it, and are empty on the last; that count all pages.
_MORE = frozenset({"hasmore", "has_more", "more_items_in_collection", "morerecords", "more_records"})
_NEXT = frozenset({"next", "next_page", "nextpage", "next_cursor", "nextcursor", "next_page_token", "nextpagetoken"})
_PAGES = frozenset({"total_pages", "totalpages", "page_count", "pagecount", "last_page"})


# --- what may be sent ------------------------------------------------------------------------------


def reading_faults(case: Case, outcome: Outcome) -> Iterator[str]:
    """Requests of a reading operation that may change something."""
    for sent in outcome.sent if case.operation in READING else ():
        where = f"{sent.method} {sent.url.partition('?')[0]}"
        if sent.kind in ("api", "media") and not sent.is_read:
            yield f"{case.operation} only reads, but {where} may change something"
        elif sent.is_read and sent.method not in _READ_METHODS:
            yield f"{where} is called a read, which this method is nowhere"


def appending_faults(case: Case, outcome: Outcome, document: Mapping[str, Any]) -> Iterator[str]:
    """Messages that are added to a log which was not read before; a whole new body may be written unread."""
    if case.operation != "update_message_log" or document["call"].get("change", {}).get("body") is not None:
        return
    first = next((sent for sent in outcome.sent if sent.kind == "api"), None)
    if first is not None and not first.is_read:
        yield f"messages are appended with {first.method} before the log was read"


# --- ids -------------------------------------------------------------------------------------------


def early_id_faults(case: Case, outcome: Outcome) -> Iterator[str]:
    """A log's id is reported once, when the CRM gives it, and is the one that is returned."""
    result = outcome.result
    if case.operation in _NEW_LOGS and isinstance(result, LogResult):
        reported = [(type(log_id), log_id) for log_id in outcome.created]
        if reported != [(type(result.log_id), result.log_id)]:
            yield f"the id returned is {result.log_id!r}, reported early was {outcome.created!r}"


def contact_id_faults(outcome: Outcome, document: Mapping[str, Any]) -> Iterator[str]:
    """Ids of contacts that stand in no answer as they are returned, ``7`` and ``"7"`` being two."""
    answers = [sent.answer.get("json") for sent in outcome.sent]
    known = {_exact(value) for value in _values([*answers, document.get("cache", {})])}
    result = outcome.result
    contacts = result.contacts if isinstance(result, ContactMatches) else (result,)
    for contact in contacts:
        if isinstance(contact, Contact) and _exact(contact.id) not in known:
            yield f"the contact's id {contact.id!r} stands in no answer as it is"


def _exact(value: Any) -> tuple[type, Any]:
    if isinstance(value, int) and abs(value) > _MOST_EXACT:
        value = str(value)
    return type(value), value


def _values(node: Any) -> Iterator[Any]:
    if isinstance(node, Mapping):
        for item in node.values():
            yield from _values(item)
    elif isinstance(node, list):
        for item in node:
            yield from _values(item)
    else:
        yield node


# --- numbers ---------------------------------------------------------------------------------------


def other_number_faults(case: Case, document: Mapping[str, Any], recorded: Outcome) -> Iterator[str]:
    """Contacts that are found although every answer holds another number than the one that was dialled."""
    result = recorded.result
    if case.operation != "find_contacts" or not isinstance(result, ContactMatches) or not result.contacts:
        return
    given = document["call"]["phone"]
    phone = parse_phone(given["raw"], formats=given.get("formats", ""), is_extension=given.get("is_extension", False))
    digits = re.sub(r"\D", "", phone.national or phone.raw)[-_TELLING:]
    altered = copy.deepcopy(dict(document))
    for exchange in altered["exchanges"]:
        exchange["response"] = {**exchange["response"], **_with_another(exchange["response"], digits)}
    if altered["exchanges"] == document["exchanges"]:
        if case.path.stem.endswith("__success"):
            yield "no answer holds the number that was dialled, so nothing shows that it is compared"
        return
    found = Prepared(case, altered).run().result
    if isinstance(found, ContactMatches) and found.contacts:
        yield f"{len(found.contacts)} contact(s) are found though all numbers in the answers are others"


def _with_another(response: Mapping[str, Any], digits: str) -> dict[str, Any]:
    return {"json": _another(response["json"], digits)} if "json" in response else {}


def _another(node: Any, digits: str) -> Any:
    """The same JSON with another digit in place of the last one of the number, in whatever notation it stands."""
    if isinstance(node, dict):
        return {key: _another(item, digits) for key, item in node.items()}
    if isinstance(node, list):
        return [_another(item, digits) for item in node]
    if isinstance(node, int) and not isinstance(node, bool):
        return int(_another(str(node), digits))
    if not isinstance(node, str):
        return node
    places = [index for index, char in enumerate(node) if char.isascii() and char.isdigit()]
    start = "".join(node[place] for place in places).find(digits)
    if start < 0 or not digits:
        return node
    place = places[start + len(digits) - 1]
    return f"{node[:place]}{(int(node[place]) + 1) % 10}{node[place + 1 :]}"


# --- members that are missing ----------------------------------------------------------------------


def missing_member_faults(cases: Iterable[Case]) -> Iterator[tuple[Case, str]]:
    """What becomes of answers that lack a member, each member of each answer in turn.

    The same member of the same answer is dropped once for each operation; of a list the first element stands for all.
    """
    seen: set[tuple[Any, ...]] = set()
    for case in cases:
        document = case.load()
        exchanges = document.get("exchanges", [])
        for index, exchange in enumerate(exchanges):
            request, answer = exchange["request"], exchange["response"]
            kind = (case.operation, request["method"], re.sub(r"\d+", "#", request["url"]))
            for path in _members(answer.get("json")):
                if (*kind, path) in seen:
                    continue
                seen.add((*kind, path))
                without = {**exchange, "response": {**answer, "json": _without(answer["json"], path)}}
                changed = {**document, "exchanges": [*exchanges[:index], without, *exchanges[index + 1 :]]}
                for fault in _member_faults(case, Prepared(case, changed).run(_LENIENT)):
                    yield case, f"{request['method']} {request['url']} without {'.'.join(map(str, path))}: {fault}"


def _member_faults(case: Case, outcome: Outcome) -> Iterator[str]:
    if outcome.error is None:
        yield from type_faults(case, outcome)
    elif not isinstance(outcome.error, ConnectorError):
        yield f"{type(outcome.error).__name__} escaped: {outcome.error}"


def _members(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(node, dict):
        for key, item in node.items():
            yield (*path, key)
            yield from _members(item, (*path, key))
    elif isinstance(node, list) and node:
        yield from _members(node[0], (*path, 0))


def _without(node: Any, path: tuple[str | int, ...]) -> Any:
    key, *rest = path
    if not rest:
        return {name: item for name, item in node.items() if name != key}
    changed = copy.copy(node)
    changed[key] = _without(node[key], tuple(rest))
    return changed


# --- pages -----------------------------------------------------------------------------------------


def page_faults(case: Case, outcome: Outcome) -> Iterator[str]:
    """Lists whose answer says that there is more, and that end there without a word."""
    if case.operation not in READING or outcome.error is not None or getattr(outcome.result, "notice", None):
        return
    lists: dict[tuple[str, str], list[Sent]] = {}
    for sent in outcome.sent:
        lists.setdefault((sent.method, sent.url.partition("?")[0]), []).append(sent)
    for (method, url), pages in lists.items():
        if says_more(pages[-1].answer, after=len(pages)):
            yield f"{method} {url} says that there is more, which is never read"


def says_more(answer: Answer, *, after: int) -> bool:
    """Whether an answer names a further page, or says that there are more of them than ``after``."""
    headers = {name.lower(): value for name, value in answer.get("headers", {}).items()}
    return 'rel="next"' in headers.get("link", "") or _tells_of_more(answer.get("json"), after)


def _tells_of_more(node: Any, after: int) -> bool:
    for key, item in node.items() if isinstance(node, dict) else ():
        name = key.lower()
        if name in _MORE and item is True:
            return True
        if name in _NEXT and item not in (None, "", False):
            return True
        if name in _PAGES and isinstance(item, int) and item > after:
            return True
        if _tells_of_more(item, after):
            return True
    return False


# --- words -----------------------------------------------------------------------------------------


def explain_faults(adapter: CrmAdapter) -> Iterator[str]:
    """Answers that say nothing but their status, and that ``explain`` takes for something else."""
    for status, standard in _STANDARD.items():
        for body in _NEUTRAL:
            for method, path in (("GET", "records/7"), ("POST", "records"), ("PATCH", "records/7")):
                reply = Reply(
                    status=status,
                    headers={},
                    body=body,
                    text=json.dumps(body),
                    is_json=True,
                    method=method,
                    url=f"https://api.crm.example/{path}",
                )
                error = error_of(reply, adapter.explain(reply), is_read=method == "GET", is_own=adapter.is_own(reply))
                if not isinstance(error, standard):
                    name = type(error).__name__
                    yield f"{status} with {json.dumps(body)} is {name} for {method}, not {standard.__name__}"
