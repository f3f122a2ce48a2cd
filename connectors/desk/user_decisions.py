"""Decisions about connected users: sign out, forget cached contacts."""

from __future__ import annotations

from django.db import models

from connectors.deliveries.models import Delivery
from connectors.deliveries.queue import State
from connectors.deliveries.terms import Kind
from connectors.desk.decisions import Decision, Effect
from connectors.desk.names import name_of
from connectors.models import ContactMatch, CrmUser
from connectors.services.sessions import disconnect


def describe(user: CrmUser) -> tuple[str, str]:
    waiting = Delivery.objects.filter(user=user).exclude(state=State.GIVEN_UP).exclude(kind=Kind.LOOK_AGAIN).count()
    return f"{waiting} change{'' if waiting == 1 else 's'} waiting", name_of(user)


def about(user: CrmUser) -> dict[str, str]:
    return {"platform": user.platform, "owner": user.owner, "target": user.wire_id}


def _rows() -> models.QuerySet[CrmUser]:
    return CrmUser.objects.order_by("name", "wire_id")


def _sort_sign_out(user: CrmUser) -> str:
    return "signed out" if user.is_connected else "not connected"


def _sign_out(user: CrmUser, actor: str) -> str:
    effect = _sort_sign_out(user)
    if user.is_connected:
        disconnect(user=user, actor=actor)
    return effect


SIGN_OUT = Decision(
    key="sign-out",
    label="Sign out",
    explains="Their login at the CRM is forgotten here and revoked there, and their extension asks them to connect "
    "again. Nothing is lost: what waits for the CRM waits for their next login.",
    permission="connectors.change_crmuser",
    action="user.decide",
    effects={
        "signed out": Effect(will="{n} will be signed out", done="{n} {was} signed out"),
        "not connected": Effect(will="{n} {is} signed out already", done="{n} {was} signed out already", acts=False),
    },
    rows=_rows,
    sort=_sort_sign_out,
    carry_out=_sign_out,
    describe=describe,
    logged_on=lambda user: [user],
    about=about,
)


def _sort_forgetting(user: CrmUser) -> str:
    return "forgotten" if ContactMatch.objects.filter(user=user).exists() else "nothing cached"


def _forget(user: CrmUser, actor: str) -> str:
    return "forgotten" if ContactMatch.objects.filter(user=user).delete()[0] else "nothing cached"


FORGET_CONTACTS = Decision(
    key="forget-contacts",
    label="Forget cached contacts",
    explains="Their next look-up of each number asks the CRM anew. Nothing changes in the CRM.",
    permission="connectors.change_crmuser",
    action="user.decide",
    effects={
        "forgotten": Effect(
            will="the cached contacts of {n} user{s} will be forgotten",
            done="the cached contacts of {n} user{s} have been forgotten",
        ),
        "nothing cached": Effect(will="{n} {has} nothing cached", done="{n} had nothing cached", acts=False),
    },
    rows=_rows,
    sort=_sort_forgetting,
    carry_out=_forget,
    describe=describe,
    logged_on=lambda user: [user],
    about=about,
)
