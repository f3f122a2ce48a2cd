"""What all pages of the desk have in common: who may see them, and the frame around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from connectors.desk.site import site

View = Callable[..., HttpResponseBase]


def needs(*permissions: str) -> Callable[[View], View]:
    """Lets in who has one of the permissions, such as ``audit.view_calllog``; others get 403."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not any(request.user.has_perm(name) for name in permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return guard


def page(request: HttpRequest, template: str, *, title: str, status: int = 200, **context: Any) -> TemplateResponse:
    """A page in the frame of the admin; its template extends ``desk/page.html``."""
    whole = {**site.each_context(request), "title": title, **context}
    return TemplateResponse(request, template, whole, status=status)


def next_page(request: HttpRequest) -> str:
    """The page of ours that ``next`` of the form or the address names; "" where there is none."""
    wanted: Any = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) and wanted.startswith("/admin/")
    return str(wanted) if is_ours else ""


def settled_meanwhile(request: HttpRequest) -> HttpResponseRedirect:
    """Answers a decision about what does not wait any more: tells so on the page where the reader came from."""
    messages.warning(request, "It does not wait any more: it was sent, or somebody else decided about it, meanwhile.")
    return HttpResponseRedirect(next_page(request) or reverse("admin:desk_queue"))
