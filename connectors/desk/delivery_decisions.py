"""Decisions about changes that wait: send now, hand back to the agent, give up."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from audit.fields import Undecipherable
from connectors.deliveries import support
from connectors.deliveries.changes import UnreadableChange
from connectors.deliveries.models import Delivery
from connectors.deliveries.policy import IfSent, Kind
from connectors.deliveries.queue import State
from connectors.desk.decisions import Decision, Effect
from connectors.desk.names import name_of
from connectors.services.note_drafts import HANDED_BACK_FOR

_WHAT: dict[str, str] = {
    Kind.CREATE: "Call",
    Kind.EDIT: "Edit of a call",
    Kind.DISPOSITION: "Outcome of a call",
    Kind.TEXTS: "Messages",
    Kind.REVOKE: "End of a login",
    Kind.LOOK_AGAIN: "Second look for a record",
}
_UNREADABLE = "unreadable"
_AT_WORK = Effect(
    will="{n} {is} being sent at this moment and {is} left alone",
    done="{n} {was} being sent at that moment: look again",
    acts=False,
)


def _rows() -> models.QuerySet[Delivery]:
    return Delivery.objects.select_related("user", "call_log", "conversation").order_by("accepted_at", "position")


def describe(delivery: Delivery) -> tuple[str, str]:
    """What is to be done about which call or day, and whose it is."""
    record = delivery.record
    moment = getattr(record, "started_at", None) or delivery.accepted_at
    ending = f" with a number that ends in {record.number_ending}" if record and record.number_ending else ""
    what = f"{_WHAT.get(delivery.kind, 'Change')} of {timezone.localtime(moment):%Y-%m-%d %H:%M %Z}{ending}"
    return what, name_of(delivery.user)


def logged_on(delivery: Delivery) -> list[models.Model]:
    return [delivery.record or delivery]


def about(delivery: Delivery) -> dict[str, str]:
    return {"platform": delivery.platform, "owner": delivery.user.owner, "subject": delivery.subject}


_SENDING = {
    IfSent.SENT: Effect(will="{n} will be sent", done="{n} {is} sent now"),
    IfSent.MARKED: Effect(
        will="{n} {is} in the CRM already and will only be completed and marked",
        done="{n} {is} completed and marked now",
    ),
    IfSent.LOOKED_FOR: Effect(
        will="{n} may be in the CRM: {it} will be looked for first, and written only if not found",
        done="{n} {is} looked for now",
    ),
    IfSent.BLIND: Effect(
        will="{n} may be in the CRM, which cannot be asked: {it} will count as not there and be written, perhaps a "
        "second time",
        done="{n} {is} written now, perhaps a second time",
    ),
    IfSent.LOGIN: Effect(
        will="{n} cannot be sent before the user connects again: {it} will be tried, and go on waiting",
        done="{n} {is} tried now, and wait{es} on for the user's login",
    ),
    _UNREADABLE: Effect(
        will="{n} cannot be read with the keys or the version of this server: {it} will be tried, and go on waiting",
        done="{n} {is} tried now, and wait{es} on where {it} cannot be read",
    ),
    IfSent.LEFT: _AT_WORK,
}


def _is_readable(delivery: Delivery) -> bool:
    try:
        return delivery.payload is not None and delivery.last_error != UnreadableChange.__name__
    except Undecipherable:
        return False


def _sort_sending(delivery: Delivery) -> str:
    effect = support.if_sent_now(delivery)
    return effect if effect == IfSent.LEFT or _is_readable(delivery) else _UNREADABLE


def _send(delivery: Delivery, actor: str) -> str:
    effect = _sort_sending(delivery)
    return effect if support.send_again(Delivery.objects.filter(pk=delivery.pk)) else IfSent.LEFT


SEND_NOW = Decision(
    key="send-now",
    label="Send now",
    explains="They are due at once, and a CRM that counts as down is tried at once: a worker sends them in a moment.",
    permission="deliveries.change_delivery",
    action="delivery.decide",
    effects={str(name): effect for name, effect in _SENDING.items()},
    rows=_rows,
    sort=_sort_sending,
    carry_out=_send,
    describe=describe,
    logged_on=logged_on,
    about=about,
)


def _sort_handing_back(delivery: Delivery) -> str:
    if support.is_at_work(delivery):
        return "at work"
    if not support.may_be_handed_back(delivery):
        return "not a new call"
    if not _is_readable(delivery):
        return _UNREADABLE
    return "in doubt" if delivery.is_in_doubt else "handed back"


def _hand_back(delivery: Delivery, actor: str) -> str:
    effect = _sort_handing_back(delivery)
    if effect not in ("handed back", "in doubt"):
        return effect
    try:
        return effect if support.hand_back(delivery) else "at work"
    except (Undecipherable, UnreadableChange):
        return _UNREADABLE


HAND_BACK = Decision(
    key="hand-back",
    label="Hand back to the agent",
    explains="The agent's extension shows the call as not logged, and tells so once. The agent logs it again; the note "
    f"waits as a draft for {HANDED_BACK_FOR.days} days and is in the log then. Nothing is sent any more by itself.",
    permission="deliveries.change_delivery",
    action="delivery.decide",
    effects={
        "handed back": Effect(will="{n} will be handed back", done="{n} {was} handed back"),
        "in doubt": Effect(
            will="{n} may be in the CRM and will be handed back: {it} will be looked for when logged again",
            done="{n} {was} handed back, and will be looked for when logged again",
        ),
        "not a new call": Effect(
            will="{n} {is} no new call, or {has} a record in the CRM, and stay{es} as {it} {is}",
            done="{n} stay{es} as {it} {was}",
            acts=False,
        ),
        _UNREADABLE: Effect(
            will="{n} cannot be read with this server's keys or version, and stay{es} as {it} {is}",
            done="{n} cannot be read with this server's keys, and stay{es} as {it} {was}",
            acts=False,
        ),
        "at work": _AT_WORK,
    },
    rows=_rows,
    sort=_sort_handing_back,
    carry_out=_hand_back,
    describe=describe,
    logged_on=logged_on,
    about=about,
)


def _sort_giving_up(delivery: Delivery) -> str:
    if delivery.state == State.GIVEN_UP:
        return "given up before"
    return "at work" if support.is_at_work(delivery) else "given up"


def _give_up(delivery: Delivery, actor: str) -> str:
    effect = _sort_giving_up(delivery)
    if effect != "given up":
        return effect
    return effect if support.give_up(delivery) else "at work"


GIVE_UP = Decision(
    key="give-up",
    label="Give up",
    explains="Nobody sends them any more, and the CRM never gets them. Their text stays here, encrypted, for "
    f"{settings.DELIVERY_KEEP_DAYS:g} days, in which they can still be sent; then it is removed.",
    permission="deliveries.change_delivery",
    action="delivery.decide",
    effects={
        "given up": Effect(will="{n} will be given up", done="{n} {was} given up"),
        "given up before": Effect(will="{n} {was} given up already", done="{n} {was} given up before", acts=False),
        "at work": _AT_WORK,
    },
    rows=_rows,
    sort=_sort_giving_up,
    carry_out=_give_up,
    describe=describe,
    logged_on=logged_on,
    about=about,
    is_grave=True,
)
