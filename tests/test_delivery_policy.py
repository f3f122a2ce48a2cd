"""The table of decisions about kept changes: what holds in every situation there is."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

import pytest

from adapters.contract import ErrorKind
from audit.states import LogState
from connectors.deliveries import policy_page
from connectors.deliveries.policy import MOST_ODD_ANSWERS, RULES, Event, Kind, Known, Next, Situation, decide

ROOT = Path(__file__).resolve().parent.parent
ROOM = ROOT / "connectors" / "deliveries"

SITUATIONS = [
    Situation(
        kind=kind,
        known=known,
        event=event,
        odd_answers=odd,
        is_old=is_old,
        user_waits=user_waits,
        is_long=is_long,
        was_changed=was_changed,
        has_several_texts=has_several_texts,
    )
    for kind, known, event, odd, is_old, user_waits, is_long, was_changed, has_several_texts in itertools.product(
        Kind, Known, Event, (0, MOST_ODD_ANSWERS), *[(False, True)] * 5
    )
]
WRITES = (Kind.CREATE, Kind.TEXTS)
CHANGES = (*WRITES, Kind.EDIT, Kind.DISPOSITION)
#: The CRM's own verdict on the change, in its own words.
VERDICTS = {Event.REFUSED, Event.GONE, Event.UNSUPPORTED, Event.TOO_LONG}


def where(**conditions):
    return [s for s in SITUATIONS if all(getattr(s, name) in wanted for name, wanted in conditions.items())]


def test_every_situation_has_a_decision_and_every_rule_decides_some():
    assert {id(rule) for rule in RULES} == {
        id(next(rule for rule in RULES if rule.applies(situation))) for situation in SITUATIONS
    }


def test_at_most_one_record_is_written_while_an_attempt_may_be_there():  # I1, I3
    for situation in where(kind=WRITES, known=(Known.DOUBT,)):
        assert decide(situation).next not in (Next.SHORTEN, Next.ANEW, Next.NEXT_PART, Next.SPLIT, Next.FORGET)


def test_nothing_accepted_is_forgotten_but_by_the_crms_own_verdict():  # I2, I11
    for situation in where(kind=CHANGES, event=set(Event) - VERDICTS - {Event.DONE}):
        assert decide(situation).next in (Next.AGAIN, Next.SETTLE, Next.LOGIN, Next.PERSON, Next.GIVE_UP)


def test_a_verdict_ends_a_change_only_where_the_user_reads_it_or_the_record_is_gone():  # I2
    for situation in where(kind=CHANGES, event=VERDICTS, user_waits=(False,)):
        is_edit_of_what_is_gone = situation.event is Event.GONE and situation.kind in (Kind.EDIT, Kind.DISPOSITION)
        assert (decide(situation).next is Next.FORGET) <= is_edit_of_what_is_gone


def test_what_may_be_there_stays_uncertain_until_it_is_known():  # I3
    for situation in where(kind=WRITES, known=(Known.DOUBT,), event=set(Event) - {Event.DONE}):
        assert decide(situation).record is LogState.UNCERTAIN


def test_not_found_means_nothing_before_it_can():  # I12
    for situation in where(kind=CHANGES, event=(Event.NOT_FOUND_YET, Event.IN_DOUBT)):
        assert decide(situation).next in (Next.SETTLE, Next.GIVE_UP)


def test_a_change_is_given_up_only_when_it_is_old_and_was_tried():
    for situation in SITUATIONS:
        if decide(situation).next is Next.GIVE_UP:
            assert situation.is_old
            assert situation.event not in (Event.NOT_ASKED, Event.HELD, Event.EARLIER_FIRST)


def test_what_waits_for_a_login_or_a_person_does_not_grow_old():
    for situation in where(event=(Event.LOGIN_OVER, Event.UNREADABLE), kind=CHANGES):
        assert decide(situation).next in (Next.LOGIN, Next.PERSON)


def test_an_answer_that_is_not_the_crms_is_tried_again_a_few_times_and_then_shown_to_a_person():
    for situation in where(event=(Event.NOT_UNDERSTOOD,), kind=CHANGES, is_old=(False,)):
        expected = Next.PERSON if situation.odd_answers >= MOST_ODD_ANSWERS else Next.AGAIN
        assert decide(situation).next is expected


def test_nothing_is_shortened_or_begun_anew_twice_in_one_attempt():
    for situation in where(was_changed=(True,)):
        assert decide(situation).next not in (Next.SHORTEN, Next.ANEW, Next.NEXT_PART)


def test_only_several_texts_are_split_so_that_it_ends():
    for situation in where(has_several_texts=(False,)):
        assert decide(situation).next is not Next.SPLIT


def test_a_log_that_is_in_the_crm_is_never_called_failed_unless_it_is_gone():
    for situation in where(kind=CHANGES, known=(Known.THERE, Known.THERE_DOUBT)):
        decision = decide(situation)
        assert (decision.record is LogState.FAILED) <= decision.forgets_record


def test_every_kind_of_error_is_an_event():
    assert {str(kind) for kind in ErrorKind} <= {str(event) for event in Event}


def test_the_page_prints_the_table():
    page = (ROOT / "docs" / "deliveries.md").read_text()
    assert policy_page.as_markdown() in page, "print `policy_page.as_markdown()` into docs/deliveries.md"


# --- nobody else decides ---------------------------------------------------------------------------

_DECIDED = re.compile(r"\b(LogState|State|Event|Next|Known|Told|ErrorKind)\.[A-Z]")


@pytest.mark.parametrize(
    "path", sorted(p for p in ROOM.glob("*.py") if p.name not in ("policy.py", "terms.py")), ids=lambda p: p.name
)
def test_no_other_module_of_the_room_branches_on_a_state_or_an_error(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            assert not _DECIDED.search(ast.unparse(node)), f"{path.name}:{node.lineno}: {ast.unparse(node)}"
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance":
            kinds = ast.unparse(node.args[1])
            assert not re.search(r"Error|Rejected|Denied|Unavailable|Limited|NotFound", kinds), path.name


def test_the_table_needs_nothing_but_the_standard_library():
    imported = {
        node.module
        for name in ("policy.py", "terms.py")
        for node in ast.walk(ast.parse((ROOM / name).read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    assert imported == {"__future__", "dataclasses", "enum", "audit.states", "connectors.deliveries.terms"}


def test_no_module_of_the_room_is_longer_than_an_evening_allows():
    assert {path.name: lines for path in ROOM.glob("*.py") if (lines := len(path.read_text().splitlines())) > 400} == {}
