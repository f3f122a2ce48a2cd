"""What waits to be sent, by CRM and reason, with its age; nothing of its text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse

from adapters import registry
from connectors.deliveries.models import Delivery
from connectors.deliveries.queue import State
from connectors.desk.names import name_of
from connectors.desk.page import needs, page
from connectors.desk.waiting import Waiting, plain, waiting_of

_MOST = 100
_MARKS = {State.WAITING: "wait", State.LOGIN: "bad", State.PERSON: "bad", State.GIVEN_UP: ""}
_LABELS = {
    State.WAITING: "Sent by itself",
    State.LOGIN: "Waits for a login",
    State.PERSON: "Needs a decision",
    State.GIVEN_UP: "Given up",
}
_ORDER = [State.PERSON, State.LOGIN, State.WAITING, State.GIVEN_UP]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Changes of one CRM that wait for the same reason."""

    crm: str
    platform: str
    host: str
    state: str
    label: str
    mark: str
    reason: str
    number: int
    oldest: datetime
    next: datetime
    query: str
    is_open: bool


@needs("deliveries.view_delivery")
def queue(request: HttpRequest) -> HttpResponse:
    """The groups, those first that need somebody; and the changes of the one that ``crm``, ``state``, ``reason`` name.

    ``platform`` or ``crm`` alone: all that waits for that CRM.
    """
    wanted = {
        name: request.GET[name].replace("\x00", "")
        for name in ("platform", "crm", "state", "reason")
        if name in request.GET
    }
    items = _items(wanted) if wanted else []
    return page(
        request,
        "desk/queue.html",
        title="Queue",
        groups=_groups(wanted),
        wanted=wanted,
        items=items[:_MOST],
        has_more=len(items) > _MOST,
        most=_MOST,
    )


def _groups(wanted: dict[str, str]) -> list[Group]:
    rows = Delivery.objects.values("crm", "platform", "state", "reason").annotate(
        number=Count("pk"), oldest=Min("accepted_at"), next=Min("next_attempt_at")
    )
    groups = []
    for row in rows.order_by():
        key = {name: row[name] for name in ("crm", "state", "reason")}
        row["reason"] = plain(row["reason"])
        groups.append(
            Group(
                **row,
                host=row["crm"].partition(":")[2],
                label=_LABELS[State(row["state"])],
                mark=_MARKS[State(row["state"])],
                query=urlencode(key),
                is_open=key == wanted,
            )
        )
    return sorted(groups, key=lambda group: (_ORDER.index(State(group.state)), group.oldest))


def _items(wanted: dict[str, str]) -> list[Waiting]:
    rows = Delivery.objects.filter(**wanted).select_related("user", "call_log", "conversation").order_by("accepted_at")
    return [
        waiting_of(item, crm=registry.display_name(item.platform), agent=name_of(item.user))
        for item in rows[: _MOST + 1]
    ]
