"""The page at ``/`` and the console's own routes, which answer no other origin."""

from __future__ import annotations

from django.urls import path

from connectors.console import crm_calls, page, sandbox

urlpatterns = [
    path("", page.front, name="front"),
    path("console/crm-calls", crm_calls.crm_calls),
    path("console/sandbox", sandbox.sandbox),
]
