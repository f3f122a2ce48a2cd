"""The page before a decision, and the one while it is carried out."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from adapters import registry
from connectors.desk.decisions import Decision, Line, actor_of, note_decision
from connectors.desk.delivery_decisions import GIVE_UP, HAND_BACK, SEND_NOW
from connectors.desk.names import name_of
from connectors.desk.page import next_page, page
from connectors.desk.placeholder_page import NAMED
from connectors.desk.user_decisions import FORGET_CONTACTS, SIGN_OUT
from connectors.models import CrmUser

DECISIONS = {decision.key: decision for decision in (SEND_NOW, HAND_BACK, GIVE_UP, SIGN_OUT, FORGET_CONTACTS, NAMED)}
_AT_ONCE = 3.0  # seconds of work before the page shows how far it is
_LISTED = 50
MOST = 5000


def decide(request: HttpRequest, key: str) -> HttpResponse:
    """``ids``: what it is about. Asks first; a POST with ``confirmed`` carries it out.

    What takes long goes on in further requests.
    """
    decision = DECISIONS.get(key)
    if decision is None:
        raise Http404
    if not request.user.has_perm(decision.permission):
        raise PermissionDenied
    given = request.POST if request.method == "POST" else request.GET
    ids = _ids(given.get("ids", "")) or _named(request, decision)
    if request.method == "POST" and "confirmed" in request.POST:
        return _carry_out(request, decision, ids)
    return ask(request, decision, ids)


def ask(request: HttpRequest, decision: Decision, ids: list[uuid.UUID]) -> HttpResponse:
    """The page that says what will happen."""
    counts: Counter[str] = Counter()
    people: Counter[str] = Counter()
    lines: list[Line] = []
    rows = list(decision.rows().filter(pk__in=ids[:MOST]))
    for row in rows:
        effect = decision.sort(row)
        counts[effect] += 1
        people[name_of(row if isinstance(row, CrmUser) else row.user)] += 1
        if len(lines) < _LISTED:
            what, who = decision.describe(row)
            crm, becomes = registry.display_name(row.platform), decision.effect(effect).before(1).removeprefix("1 ")
            lines.append(Line(what=what, who=who, crm=crm, becomes=becomes))
    return page(
        request,
        "desk/decision.html",
        title=decision.label,
        decision=decision,
        sentences=decision.sentences(counts),
        acts=any(decision.effect(name).acts for name in counts),
        lines=lines,
        unlisted=len(rows) - len(lines),
        people=sorted(people.items()),
        ids=" ".join(str(row.pk) for row in rows),
        next=_next(request),
    )


def _carry_out(request: HttpRequest, decision: Decision, ids: list[uuid.UUID]) -> HttpResponse:
    """Goes through them until the time is up; what is left comes with the next request."""
    counts: Counter[str] = Counter(_tally(request.POST.get("tally", "")))
    give_up = time.monotonic() + _AT_ONCE
    done = 0
    for pk in ids:
        if done and time.monotonic() > give_up:
            break
        counts[_one(request, decision, pk)] += 1
        done += 1
    left = ids[done:]
    if left:
        total = sum(counts.values()) + len(left)
        return page(
            request,
            "desk/decision_progress.html",
            title=decision.label,
            decision=decision,
            ids=" ".join(map(str, left)),
            tally=json.dumps(counts),
            done=total - len(left),
            total=total,
            next=_next(request),
        )
    acted = any(decision.effect(name).acts for name in counts)
    text = " ".join(decision.sentences(counts, done=True)) or "Nothing was chosen."
    messages.add_message(request, messages.SUCCESS if acted else messages.WARNING, text)
    return HttpResponseRedirect(_next(request))


def _one(request: HttpRequest, decision: Decision, pk: uuid.UUID) -> str:
    row = decision.rows().filter(pk=pk).first()
    if row is None:
        return "gone"
    logged_on, about = list(decision.logged_on(row)), decision.about(row)
    effect = decision.carry_out(row, actor_of(request))
    if decision.effect(effect).acts:
        detail = {"decision": decision.key.replace("-", " "), "effect": effect}
        note_decision(request, decision.action, f"{decision.label}: {effect}.", logged_on, detail=detail, **about)
    return effect


def _named(request: HttpRequest, decision: Decision) -> list[uuid.UUID]:
    """What a group of the queue holds: the changes that ``platform``, ``crm``, ``state`` and ``reason`` name."""
    wanted = {name: request.GET[name] for name in ("platform", "crm", "state", "reason") if name in request.GET}
    if not wanted or decision.action != "delivery.decide":
        return []
    rows = decision.rows().filter(**wanted).order_by("accepted_at")
    return list(rows.values_list("pk", flat=True)[:MOST])


def _ids(text: str) -> list[uuid.UUID]:
    found = []
    for item in text.replace(",", " ").split()[:MOST]:
        try:
            found.append(uuid.UUID(item))
        except ValueError:
            raise Http404 from None
    return found


def _tally(text: str) -> dict[str, int]:
    """The counts of the requests before, for the answer only."""
    try:
        return {str(name): int(number) for name, number in json.loads(text or "{}").items()}
    except (ValueError, AttributeError, TypeError, OverflowError):
        return {}


def _next(request: HttpRequest) -> str:
    """Where to go on afterwards: a page of ours."""
    if wanted := next_page(request):
        return wanted
    is_list = not request.path.startswith(reverse("admin:index") + "desk/")  # an action of a list leads back to it
    return request.get_full_path() if is_list else reverse("admin:index")
