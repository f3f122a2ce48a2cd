"""Serves the description of the API, and Swagger UI for it from our own static files."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request


class StaffOrSandbox(BasePermission):
    """Signed-in staff; anybody where the server is a sandbox or under development."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        if settings.DEBUG or settings.SANDBOX or (user and user.is_active and user.is_staff):
            return True
        raise PermissionDenied("Sign in at /admin/ first.")


class SchemaView(SpectacularJSONAPIView):
    """``/api/schema/``."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [StaffOrSandbox]


class DocsView(SpectacularSwaggerSplitView):
    """``/api/docs/``; the script is apart from the page, for the sake of the content security policy."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [StaffOrSandbox]


urlpatterns = [
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", DocsView.as_view(), name="docs"),
]
