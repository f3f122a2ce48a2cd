"""Login by OAuth callback and by form, logout, and what the client asks about its session."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from django.conf import settings
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from adapters import registry
from adapters.contract import (
    AccessDenied,
    ConnectorError,
    CredentialsRejected,
    CrmUnavailable,
    LoginForm,
    NoticeLevel,
    OAuthCallback,
    ServerMisconfigured,
    UnexpectedResponse,
    UnsupportedOperation,
)
from connectors.api.authentication import issue_token
from connectors.api.envelope import PlainText, from_notice, return_message, text_reply
from connectors.api.throttling import LoginThrottle
from connectors.api.wire import Text, WireViewSet, connected_user, operation, ringcentral_token, token_user
from connectors.models import CrmUser
from connectors.services import sessions
from connectors.services.crm_access import SessionEnded
from connectors.services.identity import hashed, identity_if_verified
from connectors.services.looking import look

_CALLBACK_FIELDS = ("tokenUrl", "apiUrl", "username", "location", "proxyId", "userEmail", "error")


class KeyLogin(serializers.Serializer[Any]):
    """Body of ``POST /apiKeyLogin``."""

    platform = Text(allow_null=False, most=64)
    apiKey = Text(allow_null=False, most=4000)
    hostname = Text(allow_null=False, most=255)
    additionalInfo = serializers.DictField(required=False, allow_null=True, default=dict)


def _platform(name: str) -> str:
    if not name:
        raise PlainText("Missing platform name")
    platform = registry.find_platform(name)
    if platform is None:
        raise PlainText("Unknown platform")
    return platform


def _not_set_up(platform: str) -> str:
    """Why nobody can log in to the platform at this server; empty where it is set up."""
    manifest = registry.manifests()[platform]
    missing = registry.missing_secrets(manifest)
    if not missing:
        return ""
    names = ", ".join(missing)
    return f"{manifest.display_name} is not set up on this server: {names} missing. Tell your administrator."


def _extension_header(request: Request) -> str:
    value: str = request.headers.get("rc-extension-id", "")
    return value[:128]


def _welcome(user: CrmUser, notice: dict[str, Any]) -> dict[str, Any]:
    return {"jwtToken": issue_token(user), "name": user.name or user.wire_id, "returnMessage": notice}


def _refused(error: ConnectorError, crm: str) -> dict[str, Any]:
    """Why a login failed, and what to do; the vendor's reason stands in the details."""
    lines = [line for line in (error.reason,) if line]
    message = error.message if error.message else "Could not load user information"
    if error.advice:
        lines.append(error.advice)
    elif isinstance(error, ServerMisconfigured):
        message = error.sentence(crm)
        lines.append("Your own login is not the reason.")
    elif isinstance(error, UnexpectedResponse):
        lines.append(f"{crm} did not answer as it should. Please try again later.")
    elif isinstance(error, CrmUnavailable):
        lines.append(f"{crm} could not be reached. Please try again later.")
    elif isinstance(error, AccessDenied):
        lines.append(f"Please check your permissions in {crm}.")
    elif isinstance(error, CredentialsRejected):
        message = f"Could not load user information. {crm} did not accept the login."
        lines.append(f"Please check what you entered, and your permissions in {crm}.")
    return return_message(message, NoticeLevel.WARNING, 5000, {"Details": lines} if lines else None)


def take_apart(query: dict[str, str], *, server_url: str) -> tuple[str, OAuthCallback | None]:
    """Platform and callback out of ``/oauth-callback``'s query, for every client variant.

    The client does not encode ``callbackUri``, so its own ``&code=`` and ``&state=`` spill into the query. An error in
    place of the code: the user declined, and the callback is None. Neither: the login has not come so far, as when the
    extension finds a page of ours on which it begins. Raises ``PlainText``.
    """
    uri = query.get("callbackUri", "")
    if not uri or uri == "undefined":
        if not query.get("code"):
            raise PlainText("Missing callbackUri")
        uri = f"{server_url}/oauth-callback?code={query['code']}"
    if "%3a" in uri[:12].lower():
        uri = unquote(uri)
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise PlainText("Invalid callbackUri") from None
    if not parts.scheme or not parts.netloc:
        raise PlainText("Invalid callbackUri")
    inner = dict(parse_qsl(parts.query, keep_blank_values=True))
    state = inner.get("state") or query.get("state", "")
    members = {key: values[0] for key, values in parse_qs(unquote(state)).items()}
    platform = members.get("platform") or _after_platform(unquote(uri)) or _after_platform(unquote(state))
    if not platform:
        raise PlainText("Missing platform name")
    code = inner.get("code") or query.get("code", "")
    if not code:
        if not (inner.get("error") or query.get("error")):
            raise PlainText("The login is not finished: please allow access on the page of the CRM first.")
        return platform, None
    fields = {key: query.get(key) or members.get(key, "") for key in _CALLBACK_FIELDS}
    callback = OAuthCallback(
        code=code,
        redirect_uri=f"{parts.scheme}://{parts.netloc}{parts.path}",
        hostname=query.get("hostname") or members.get("hostname", ""),
        fields={key: value for key, value in {**inner, **fields}.items() if value and key not in ("code", "state")},
    )
    return platform, callback


def _after_platform(text: str) -> str:
    _, found, rest = text.partition("platform=")
    return rest.split("&")[0].split("#")[0] if found else ""


class OAuthCallbackViewSet(WireViewSet):
    """``GET /oauth-callback``. A failure the user should see is a 200 without ``jwtToken``."""

    throttle_classes = [LoginThrottle]

    def login_platform(self, request: Request) -> str:
        try:
            return take_apart(request.query_params.dict(), server_url=settings.APP_SERVER)[0]
        except PlainText:
            return ""

    @operation("login")
    def connect(self, request: Request) -> Response:
        query = {key: value[:4000] for key, value in request.query_params.dict().items()}
        name, callback = take_apart(query, server_url=settings.APP_SERVER)
        platform = _platform(name)
        crm = registry.manifests()[platform].display_name
        if lack := _not_set_up(platform):
            return Response({"returnMessage": return_message(lack)})
        if callback is None:
            return Response({"returnMessage": return_message(f"The connection to {crm} was declined.", ttl=5000)})
        try:
            user, notice = sessions.connect_by_code(
                platform=platform,
                callback=callback,
                rc_account_id=query.get("rcAccountId", "")[:128],
                hashed_extension_id=_extension_header(request),
            )
        except ConnectorError as error:
            return Response({"returnMessage": _refused(error, crm)})
        return Response(_welcome(user, from_notice(notice)))


class KeyLoginViewSet(WireViewSet):
    """``POST /apiKeyLogin``. The client takes any 2xx for a login, so a refusal is a 400."""

    throttle_classes = [LoginThrottle]

    def login_platform(self, request: Request) -> str:
        return str(request.data.get("platform") or "") if isinstance(request.data, dict) else ""

    @operation("login")
    def connect(self, request: Request) -> Response:
        body = KeyLogin(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        platform = _platform(given["platform"])
        crm = registry.manifests()[platform].display_name
        if lack := _not_set_up(platform):
            raise PlainText(lack)
        identity = identity_if_verified(ringcentral_token(request))
        fields = {
            key: value.replace("\x00", "")
            for key, value in {"apiKey": given["apiKey"], **(given["additionalInfo"] or {})}.items()
            if isinstance(value, str) and len(value) <= 4000
        }
        try:
            user, notice = sessions.connect_by_form(
                platform=platform,
                form=LoginForm(fields=fields, hostname=given["hostname"]),
                rc_account_id=identity.account_id if identity else "",
                rc_account_verified=identity is not None,
                hashed_extension_id=hashed(identity.extension_id) if identity else _extension_header(request),
            )
        except ConnectorError as error:
            return Response({"returnMessage": _refused(error, crm)}, status=400)
        return Response(_welcome(user, from_notice(notice)))


class SessionViewSet(WireViewSet):
    """The session of the connected user."""

    @operation("session")
    def disconnect(self, request: Request) -> Response:
        """Both shapes at once: old clients read the message itself, newer ones ``returnMessage``."""
        user = token_user(request)
        message = from_notice(sessions.disconnect(user=user, actor=user.actor))
        return Response({**message, "returnMessage": message})

    @operation("session")
    def hostname(self, request: Request) -> HttpResponse:
        return text_reply(token_user(request).host)

    def validate(self, request: Request) -> Response:
        user = token_user(request)
        gone = {
            "successful": False,
            "returnMessage": return_message("Your session has expired. Please connect again.", ttl=3000),
        }
        if not user.is_connected:
            return Response(gone)
        try:
            alive = look(user, lambda adapter: adapter.validate_session())
        except (SessionEnded, CredentialsRejected):
            return Response(gone)
        except (UnsupportedOperation, ConnectorError):  # trouble at the CRM must not log anybody out
            return Response({"successful": True})
        return Response({"successful": True} if alive else gone)

    @operation("session")
    def license(self, request: Request) -> Response:
        """Always 200: the client registers its services only if this answers."""

        def reply(valid: bool, status: str, description: str = "") -> Response:
            return Response({"isLicenseValid": valid, "licenseStatus": status, "licenseStatusDescription": description})

        if not isinstance(request.user, CrmUser):
            return reply(False, "Invalid (Invalid user session)")
        if not request.user.is_connected:
            return reply(False, "Invalid (Connect to get license status)")
        try:
            found = look(request.user, lambda adapter: adapter.license_status())
        except ConnectorError:
            return reply(False, "Invalid (Connect to get license status)")
        return reply(found.is_valid, found.status, found.description)

    @operation("session")
    def refresh_user(self, request: Request) -> Response:
        """A login that is gone is told with a 200 here: the client asks by itself, and goes on."""
        try:
            user = connected_user(request)
            profile = look(user, lambda adapter: adapter.refresh_user())
        except UnsupportedOperation:
            return Response({"successful": True})
        except SessionEnded:
            gone = return_message("User session expired. Please connect again.")
            return Response({"successful": False, "returnMessage": gone})
        CrmUser.objects.filter(pk=user.pk).update(**CrmUser.facts_of(profile))
        return Response(
            {"successful": True, "returnMessage": return_message("User info refreshed", NoticeLevel.SUCCESS, 2000)}
        )
