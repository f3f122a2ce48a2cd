"""Contacts that are named after their number, with the way to their page in the CRM, where somebody names them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db import models
from django.http import HttpRequest, HttpResponse

from connectors.desk.crm_links import page_of_contact
from connectors.desk.decisions import Decision, Effect
from connectors.desk.names import name_of
from connectors.desk.page import needs, page
from connectors.models import PlaceholderContact

_MOST = 100


@needs("connectors.view_crmuser")
def placeholders(request: HttpRequest) -> HttpResponse:
    """The newest first; ``platform``: of one CRM only."""
    platform = request.GET.get("platform", "").replace("\x00", "")
    rows = PlaceholderContact.objects.filter(**({"platform": platform} if platform else {}))
    found = list(rows.select_related("user").order_by("-created_at")[: _MOST + 1])
    shown = found[:_MOST]
    return page(
        request,
        "desk/placeholders.html",
        title="Contacts without a name",
        items=[(row, page_of_contact(row, row.user), urlencode({"q": row.contact_id})) for row in shown],
        all_ids=" ".join(str(row.pk) for row in shown),
        has_more=len(found) > _MOST,
        most=_MOST,
    )


def describe(row: PlaceholderContact) -> tuple[str, str]:
    ending = f" with a number that ends in {row.number_ending}" if row.number_ending else ""
    return f"{row.contact_type or 'Contact'} {row.contact_id}{ending}", name_of(row.user)


def _rows() -> models.QuerySet[PlaceholderContact]:
    return PlaceholderContact.objects.select_related("user").order_by("-created_at")


def _remove(row: PlaceholderContact, actor: str) -> str:
    return "named" if row.delete()[0] else "gone"


def _about(row: PlaceholderContact) -> dict[str, Any]:
    return {"platform": row.platform, "owner": row.owner, "target": row.contact_id}


NAMED = Decision(
    key="named",
    label="It has a name now",
    explains="They go from this list. Nothing changes in the CRM, and nothing about their calls.",
    permission="connectors.change_crmuser",
    action="contact.decide",
    effects={
        "named": Effect(
            will="{n} contact{s} will count as named, and go from the list",
            done="{n} contact{s} {was} taken from the list",
        ),
    },
    rows=_rows,
    sort=lambda row: "named",
    carry_out=_remove,
    describe=describe,
    logged_on=lambda row: [row.user],
    about=_about,
)
