"""What the server is and offers: manifest, capabilities, liveness, version, hashes, release notes."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response

from adapters import registry
from adapters.contract.manifest import OPTIONAL_OPERATIONS
from connectors.api.envelope import PlainText, text_reply
from connectors.api.platform_document import platform_on_wire
from connectors.api.throttling import HashThrottle
from connectors.api.wire import WireViewSet, connected_user, operation
from connectors.help import links
from connectors.release_notes import RELEASE_NOTES
from connectors.services.crm_access import AdapterMissing, require_adapter
from connectors.services.identity import hashed
from connectors.services.looking import look

#: The reference server's function names -> the adapter's method behind them; None: the server's own, always offered.
_INTERFACES = {
    "getUserInfo": "user_profile",
    "createCallLog": "create_call_log",
    "updateCallLog": "update_call_log",
    "getCallLog": "get_call_log",
    "createMessageLog": "create_message_log",
    "updateMessageLog": "update_message_log",
    "createContact": "create_contact",
    "findContact": "find_contacts",
    "unAuthorize": "revoke",
    "getLogFormatType": None,
    "cacheCallNote": None,
    "findContactWithName": "find_contacts_by_name",
    "upsertCallDisposition": "set_disposition",
    "getUserList": "list_users",
    "getLicenseStatus": "license_status",
    "refreshUserInfo": "refresh_user",
}
_NOT_OFFERED = (
    "listAppointments",
    "createAppointment",
    "updateAppointment",
    "refreshAppointment",
    "confirmAppointment",
    "cancelAppointment",
    "getManagedAuthOptions",
)


class ManifestViewSet(WireViewSet):
    """``/crmManifest``: every platform that is enabled and set up, or the one asked for."""

    authentication_classes = []

    def read(self, request: Request) -> Any:
        name = request.query_params.get("platformName", "default")
        manifests = registry.configured()
        if name != "default":
            platform = registry.find_platform(name)
            if platform not in manifests:
                raise PlainText("Platform not found")
            manifests = {platform: manifests[platform]}
        document = {
            "serverUrl": links.server_url(),
            "redirectUri": settings.REDIRECT_URI,
            "author": links.author(),
            "version": settings.VERSION,
            "platforms": {key: platform_on_wire(manifest) for key, manifest in manifests.items()},
        }
        reply: HttpResponse = Response(document)
        tag = hashlib.sha256(repr(document).encode()).hexdigest()[:32]
        if request.headers.get("If-None-Match", "").strip('W/"') == tag:
            reply = HttpResponse(status=304)
        reply["ETag"] = f'"{tag}"'
        return reply

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-cache"
        return response


class ServerViewSet(WireViewSet):
    """What anybody may ask."""

    authentication_classes = []

    def alive(self, request: Request) -> HttpResponse:
        return text_reply("OK")

    def version(self, request: Request) -> Response:
        return Response({"version": settings.VERSION})

    def release_notes(self, request: Request) -> Response:
        return Response(RELEASE_NOTES)

    def interfaces(self, request: Request) -> Response:
        """Which functions a platform offers."""
        name = request.query_params.get("platform", "")
        if not name:
            raise PlainText("Please provide platform.")
        platform = registry.find_platform(name)
        if platform is None:
            raise PlainText("Unknown platform")
        server = registry.manifests()[platform].server
        by_oauth = server.auth.type == "oauth"
        try:
            lacking = require_adapter(platform).lacking
        except AdapterMissing as error:
            raise PlainText(error.message) from None
        missing = {*OPTIONAL_OPERATIONS} - {*server.capabilities} | lacking
        offered = {key: method not in missing for key, method in _INTERFACES.items()}
        login = {"getAuthType": True, "getOauthInfo" if by_oauth else "getBasicAuth": True}
        return Response({**login, **offered, **dict.fromkeys(_NOT_OFFERED, False)})


class HashViewSet(WireViewSet):
    """``/userInfoHash``: hashed RingCentral ids, which the client then uses as headers."""

    authentication_classes = []
    throttle_classes = [HashThrottle]

    def read(self, request: Request) -> Response:
        given = request.query_params
        return Response({"extensionId": hashed(given.get("extensionId")), "accountId": hashed(given.get("accountId"))})


class AccountDataViewSet(WireViewSet):
    """``/accountData``: account-wide choices for forms."""

    @operation("accountData")
    def read(self, request: Request) -> Response:
        user = connected_user(request)
        keys = [key.strip() for key in request.query_params.get("keys", "").split(",") if key.strip()]
        if not keys:
            raise PlainText("Missing keys")
        offered = registry.manifests()[user.platform].server.account_data
        if unknown := [key for key in keys if key not in offered]:
            raise PlainText(f"Unknown account data key(s): {', '.join(unknown)[:200]}")
        force = request.query_params.get("forceRefresh", "").lower() == "true"
        data = look(user, lambda adapter: {key: adapter.account_data(key) for key in keys}, read_anew=force)
        return Response({"successful": True, "data": data})
