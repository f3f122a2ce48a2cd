"""What members of support do: look at the CRM, then decide about what waits for them."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from adapters.contract import Disposition
from audit.fields import Undecipherable
from audit.models import MessageLog
from audit.prepared import PreparedQuery
from connectors.deliveries import support
from connectors.deliveries.changes import CallEdit, UnreadableChange, from_json
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import Kind
from connectors.deliveries.queue import State
from simulation.crm import crm
from simulation.expectation import Expectation
from simulation.people import tenant_of
from simulation.windows import subject_of, text_of
from simulation.world import world

#: Error of what support has given up.
GIVEN_UP = "given up"


def waiting() -> list[Delivery]:
    """What waits for a decision, in the order in which it was accepted."""
    return _waiting()


def _all_waiting() -> QuerySet[Delivery]:
    found = Delivery.objects.filter(state__in=(State.PERSON, State.GIVEN_UP)).exclude(last_error=GIVEN_UP)
    return found.select_related("user", "call_log", "conversation").order_by("accepted_at", "position")


_waiting = PreparedQuery(_all_waiting)


def decide_next(expected: Expectation) -> None:
    """Decides about the oldest; gives some calls up, or hands them back to be logged anew, however that ends."""
    if not (found := waiting()):
        return
    delivery = found[0]
    if delivery.kind != Kind.CREATE or world.rng.random() < 0.4:
        decide(delivery, expected)
        return
    about = (tenant_of(delivery.user), delivery.subject)
    if world.rng.random() < 0.6 and support.may_be_handed_back(delivery):
        try:
            is_done, what = support.hand_back(delivery), "support hands back"
        except (Undecipherable, UnreadableChange):
            return
    else:
        is_done, what = support.give_up(delivery), "support gives up"
    if is_done:
        world.count(what)
        expected.deleted[about] = world.now  # nobody expects it, or its edits, any more


def decide(delivery: Delivery, expected: Expectation) -> None:
    """Marks as logged what is in the CRM, gives up an edit that would undo a newer one, sends everything else.

    Where the CRM can be asked support may send without a look: the server looks itself.
    """
    record = delivery.record
    if record is not None and _is_overtaken(delivery, expected):
        world.count("support gives up")
        support.give_up(delivery)
        return
    looks = not crm.can_be_asked or world.rng.random() < 0.5
    if looks and delivery.is_in_doubt and record is not None and not record.crm_log_id:
        if not delivery.is_settled:
            return  # whoever looks too early cannot tell
        free = [row for row in _records(delivery) if not record.belongs_to_another(row["id"])]
        if free and (delivery.call_log_id or _holds_all_texts(delivery, free[-1])):
            world.count("support marks as logged")
            support.mark_as_logged(delivery, str(free[-1]["id"]))
            return
    world.count("support sends")
    support.send_again(Delivery.objects.filter(pk=delivery.pk))


def _records(delivery: Delivery) -> list[dict[str, Any]]:
    """Of this call or day, in the company that it belongs to, oldest first."""
    marker = delivery.conversation.marker if delivery.conversation else delivery.subject
    owner = delivery.record.owner if delivery.record else ""
    company = owner.removeprefix("account::") if owner.startswith("account::") else delivery.user.crm_user_id
    return [row for row in crm.records(company) if row["external_id"] == marker]


def _holds_all_texts(delivery: Delivery, row: dict[str, Any]) -> bool:
    day = subject_of(delivery.subject)
    ids = MessageLog.objects.filter(delivery_id=delivery.pk).values_list("message_id", flat=True)
    return all(text_of(day, int(message_id.rpartition("-")[2])) in row["body"] for message_id in ids)


def _is_overtaken(delivery: Delivery, expected: Expectation) -> bool:
    """Whether the record holds this edit, or had it and was changed since."""
    if delivery.kind not in (Kind.EDIT, Kind.DISPOSITION):
        return False
    try:
        text = _text_of(delivery)
    except (Undecipherable, UnreadableChange):
        return False
    about = (tenant_of(delivery.user), delivery.subject)
    kind = "edit" if delivery.kind == Kind.EDIT else "dispose"
    notes = expected.of("log", about) if kind == "edit" else ()  # a log that comes again with another note
    asked = next((told for told in (*expected.of(kind, about), *notes) if told.text == text), None)
    written = [write for write in crm.applied if text in str(write.body.get("body") or write.body.get("address") or "")]
    later = [told for told in expected.of(kind, about) if asked and told.began > asked.began]
    if written or any(told.text in str(write.body) for told in later for write in crm.applied):
        expected.given_up.add(text)
        return True
    return False


def _text_of(delivery: Delivery) -> str:
    if delivery.kind == Kind.EDIT:
        return from_json(delivery.payload, CallEdit).details.note or ""
    return str(from_json(delivery.payload, Disposition).fields.get("address"))
