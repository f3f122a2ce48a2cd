"""Marks a call or messages as logged: support has found the record in the CRM."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from adapters.contract import ConnectorError, RecordNotFound
from connectors.deliveries import support
from connectors.deliveries.models import Delivery
from connectors.deliveries.record_check import Different, NotComparable, check_record
from connectors.desk.decisions import actor_of, note_decision
from connectors.desk.delivery_decisions import about, describe, logged_on
from connectors.desk.names import name_of
from connectors.desk.page import needs, page, settled_meanwhile


@needs("deliveries.change_delivery")
def mark(request: HttpRequest, delivery_id: uuid.UUID) -> HttpResponse:
    """Asks for the record's id, reads it with the author's login, and marks the change if it fits.

    Where it cannot be read, the id has to be typed twice.
    """
    delivery = Delivery.objects.select_related("user", "call_log", "conversation").filter(pk=delivery_id).first()
    if delivery is None:
        return settled_meanwhile(request)
    problem, must_type = "", delivery.call_log_id is None  # no CRM is asked for a single record of messages
    crm_id, typed = (request.POST.get(name, "").replace("\x00", "").strip()[:255] for name in ("crm_id", "typed"))
    if request.method == "POST":
        try:
            log_id = support.id_to_mark(delivery, crm_id)
            crm_id = str(log_id)
            checked = "typed twice" if typed == crm_id else ""
            try:
                check_record(delivery, log_id, actor=actor_of(request))
                checked = "read in the CRM"
            except NotComparable:
                must_type = not checked
                problem = "The two ids differ: nothing was marked." if typed and must_type else ""
            if checked:
                return _marked(request, delivery, crm_id, checked)
        except (ValueError, Different) as error:
            problem = str(error)
        except RecordNotFound:
            problem = f"{crm_id} is no record that the CRM shows to {name_of(delivery.user)}: nothing was marked."
        except ConnectorError as error:
            problem = f"The CRM could not be asked, so nothing was marked: {error.message}"
    what, who = describe(delivery)
    return page(
        request,
        "desk/marking.html",
        title="Mark as logged",
        delivery=delivery,
        what=what,
        who=who,
        crm_id=crm_id or (delivery.record.crm_log_id if delivery.record else ""),
        problem=problem,
        must_type=must_type,
        back=back_from(delivery),
    )


def _marked(request: HttpRequest, delivery: Delivery, crm_id: str, checked: str) -> HttpResponse:
    rows = logged_on(delivery)
    if support.mark_as_logged(delivery, crm_id):
        detail = {"decision": "mark as logged", "checked": checked, "kind": delivery.kind}
        text = f"Marked as logged: {crm_id}, {checked}."
        note_decision(request, "delivery.decide", text, rows, detail=detail, target=crm_id, **about(delivery))
        messages.success(request, f"It counts as logged, as {crm_id}.")
    else:
        messages.warning(request, "It is being sent at this moment; look again.")
    return HttpResponseRedirect(back_from(delivery))


def back_from(delivery: Delivery) -> str:
    """The page of its call or conversation day."""
    if delivery.call_log_id is not None:
        return reverse("admin:desk_call", args=[delivery.call_log_id])
    if delivery.conversation_id is not None:
        return reverse("admin:desk_day", args=[delivery.conversation_id])
    return reverse("admin:desk_queue")
