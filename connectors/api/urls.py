"""The routes the extension calls."""

from __future__ import annotations

from django.urls import path

from connectors.api import (
    call_down,
    call_logs,
    contacts,
    dispositions,
    message_logs,
    note_drafts,
    platforms,
    ringcentral,
    sessions,
    settings,
    user_mapping,
    vendor_routes,
)

urlpatterns = [
    path("crmManifest", platforms.ManifestViewSet.as_view({"get": "read"})),
    path("isAlive", platforms.ServerViewSet.as_view({"get": "alive"}, throttle_classes=[])),
    path("serverVersionInfo", platforms.ServerViewSet.as_view({"get": "version"})),
    path("releaseNotes", platforms.ServerViewSet.as_view({"get": "release_notes"})),
    path("implementedInterfaces", platforms.ServerViewSet.as_view({"get": "interfaces"})),
    path("userInfoHash", platforms.HashViewSet.as_view({"get": "read"})),
    path("accountData", platforms.AccountDataViewSet.as_view({"get": "read"})),
    path("oauth-callback", sessions.OAuthCallbackViewSet.as_view({"get": "connect"})),
    path("apiKeyLogin", sessions.KeyLoginViewSet.as_view({"post": "connect"})),
    path("unAuthorize", sessions.SessionViewSet.as_view({"post": "disconnect"})),
    path("hostname", sessions.SessionViewSet.as_view({"get": "hostname"})),
    path("authValidation", sessions.SessionViewSet.as_view({"get": "validate"})),
    path("licenseStatus", sessions.SessionViewSet.as_view({"get": "license"})),
    path("user/refreshInfo", sessions.SessionViewSet.as_view({"post": "refresh_user"})),
    path("user/settings", settings.UserSettingsViewSet.as_view({"get": "read", "post": "write"})),
    path("user/preloadSettings", settings.UserSettingsViewSet.as_view({"get": "preload"})),
    path("admin/settings", settings.AdminSettingsViewSet.as_view({"get": "read", "post": "write"})),
    path("admin/serverLoggingSettings", settings.ServerLoggingViewSet.as_view({"get": "read", "post": "write"})),
    path("admin/userMapping", user_mapping.UserMappingViewSet.as_view({"post": "read"})),
    path("admin/reinitializeUserMapping", user_mapping.UserMappingViewSet.as_view({"post": "begin_anew"})),
    path("contact", contacts.ContactViewSet.as_view({"get": "find", "post": "create"})),
    path("custom/contact/search", contacts.ContactViewSet.as_view({"get": "search"})),
    path("callLog", call_logs.CallLogViewSet.as_view({"get": "find", "post": "create", "patch": "update"})),
    path("callLog/cacheNote", note_drafts.NoteDraftViewSet.as_view({"post": "create"})),
    path("calldown", call_down.CallDownViewSet.as_view({"get": "find", "post": "create"})),
    path("calldown/<str:entry_id>", call_down.CallDownViewSet.as_view({"patch": "update", "delete": "remove"})),
    path("callDisposition", dispositions.DispositionViewSet.as_view({"put": "update"})),
    path("messageLog", message_logs.MessageLogViewSet.as_view({"post": "create"})),
    path("ringcentral/oauth/callback", ringcentral.RingCentralViewSet.as_view({"get": "connect"})),
    path("ringcentral/admin/report", ringcentral.RingCentralViewSet.as_view({"get": "company"})),
    path("ringcentral/admin/userReport", ringcentral.RingCentralViewSet.as_view({"get": "user"})),
    *vendor_routes.patterns(),
]
