"""Links to the decisions about what a page shows."""

from __future__ import annotations

from urllib.parse import urlencode

from django import template
from django.urls import reverse

from connectors.deliveries import support
from connectors.deliveries.models import Delivery
from connectors.deliveries.other_contact import lacks_contact
from connectors.deliveries.policy import Kind
from connectors.deliveries.queue import State
from connectors.desk.delivery_decisions import GIVE_UP, HAND_BACK, SEND_NOW

register = template.Library()


@register.filter
def delivery_decisions(delivery: Delivery) -> list[tuple[str, str]]:
    """Label and address of each decision that there is about a change."""
    ids = urlencode({"ids": str(delivery.pk)})
    asked = [SEND_NOW, *([HAND_BACK] if support.may_be_handed_back(delivery) else [])]
    if delivery.state != State.GIVEN_UP:
        asked.append(GIVE_UP)
    links = [(item.label, f"{reverse('admin:desk_decide', args=[item.key])}?{ids}") for item in asked]
    if delivery.kind in (Kind.CREATE, Kind.TEXTS):
        links.insert(1, ("Mark as logged", reverse("admin:desk_mark", args=[delivery.pk])))
    if lacks_contact(delivery):
        links.insert(1, ("Choose another contact", reverse("admin:desk_contact", args=[delivery.pk])))
    return links


@register.filter
def group_decisions(wanted: dict[str, str]) -> list[tuple[str, str]]:
    """Label and address of each decision about all changes that CRM, state and reason name."""
    query = urlencode(wanted)
    asked = (SEND_NOW, HAND_BACK) if wanted.get("state") == State.GIVEN_UP else (SEND_NOW, HAND_BACK, GIVE_UP)
    return [
        (f"{item.label}: all of them", f"{reverse('admin:desk_decide', args=[item.key])}?{query}") for item in asked
    ]
