"""User settings, and the administrator's settings of a RingCentral account."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from adapters.contract import AccessDenied, ConnectorError, CredentialsRejected, UnsupportedOperation
from audit.recorder import audited, record
from connectors.api.envelope import PlainText, from_notice, text_reply
from connectors.api.wire import WireViewSet, connected_user, operation, ringcentral_token, token_user
from connectors.models import AccountSettings, CrmUser
from connectors.services.crm_access import change_server_logging, with_adapter
from connectors.services.identity import (
    RingCentralIdentity,
    bind_account,
    hashed,
    identity_if_verified,
    verify_ringcentral_token,
)
from connectors.services.setting_choices import with_choices
from connectors.services.settings import Settings, claim_account, effective
from connectors.services.settings_changes import (
    read_account_settings,
    remember_shown,
    save_account_settings,
    save_user_settings,
)

_MOST_KEYS = 500
_MOST_STORED = 1024 * 1024  # characters of JSON; what the extension keeps is a few thousand
_LONGEST_FIELD = 1000


class UserSettingsBody(serializers.Serializer[Any]):
    """Body of ``POST /user/settings``."""

    userSettings = serializers.DictField(required=False, allow_null=True, default=dict)
    settingKeysToRemove = serializers.ListField(
        child=serializers.CharField(max_length=255), required=False, allow_null=True, default=list
    )


class AdminSettingsBody(serializers.Serializer[Any]):
    """Body of ``POST /admin/settings``: the members an administrator may write; all others are dropped."""

    userSettings = serializers.DictField(required=False)
    userMappings = serializers.ListField(child=serializers.DictField(), required=False, max_length=20_000)
    customAdapter = serializers.DictField(required=False, allow_null=True)


class UserSettingsViewSet(WireViewSet):
    """``/user/settings`` and ``/user/preloadSettings``."""

    @operation("userSettings")
    def read(self, request: Request) -> Response:
        user = token_user(request)
        known = user.rc_account_id if user.rc_account_verified else ""
        if not known and (identity := identity_if_verified(ringcentral_token(request))):
            bind_account(user, identity)
        claim_account(user, request.query_params.get("rcAccountId") or request.headers.get("rc-account-id", ""))
        shown = with_choices(user, effective(user))
        remember_shown(user, shown)
        return Response(shown)

    @operation("userSettings")
    def write(self, request: Request) -> Response:
        user = token_user(request)
        body = UserSettingsBody(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data["userSettings"] or {}
        remove = body.validated_data["settingKeysToRemove"] or []
        stored = save_user_settings(user=user, given=given, remove=remove, check=_refuse_too_many)
        return Response({"userSettings": stored})

    @operation("userSettings")
    def preload(self, request: Request) -> Response:
        """The account's settings before a login. The hashed id is no secret, so nothing but settings is told."""
        account_id = request.query_params.get("rcAccountId", "")
        if not account_id and (identity := identity_if_verified(ringcentral_token(request))):
            account_id = hashed(identity.account_id)
        if not account_id:
            raise PlainText("Cannot find rc user login")
        account = AccountSettings.objects.filter(pk=account_id[:64]).first()
        return Response({"userSettings": account.settings if account else {}})


def _refuse_too_many(kept: Settings) -> None:
    """What is stored counts too: request by request it must not grow without end."""
    if len(kept) > _MOST_KEYS or len(json.dumps(kept)) > _MOST_STORED:
        raise PlainText("Invalid request: userSettings: too many settings.")


def window_of(request: Request) -> str:
    """Tells one login of the extension from another: its token, hashed."""
    token = request.headers.get("Authorization") or request.query_params.get("jwtToken") or ""
    return hashlib.sha256(token.encode()).hexdigest()[:32] if token else ""


def administrator(request: Request) -> RingCentralIdentity:
    """The administrator behind the request's RingCentral token. Raises a plain 400 or 403 for anybody else.

    Administrator or not: the user behind the request's own token belongs to that account from then on.
    """
    token = ringcentral_token(request)
    try:
        identity = verify_ringcentral_token(token) if token else None
    except (CredentialsRejected, AccessDenied):
        raise PlainText("RingCentral did not accept the access token.") from None
    except ConnectorError:
        raise PlainText("RingCentral could not be asked who you are. Please try again later.") from None
    if identity and isinstance(request.user, CrmUser):
        bind_account(request.user, identity)
    if identity is None or not identity.is_admin:
        raise PlainText("Admin validation failed", 403)
    return identity


class AdminSettingsViewSet(WireViewSet):
    """``/admin/settings``: for the client, any 2xx on GET means "this user is an administrator"."""

    @operation("adminSettings")
    def read(self, request: Request) -> Response:
        token_user(request)
        account = read_account_settings(administrator(request), window=window_of(request))
        if account is None:
            return Response({"customConnector": None, "userSettings": {}})
        return Response(
            {
                "id": account.hashed_account_id,
                "userSettings": account.settings,
                "customAdapter": account.custom_adapter,
                "userMappings": account.user_mappings,
            }
        )

    @operation("adminSettings")
    def write(self, request: Request) -> HttpResponse:
        identity = administrator(request)
        given = request.data.get("adminSettings") if isinstance(request.data, dict) else None
        if not isinstance(given, dict):
            raise PlainText("Invalid request: adminSettings: must be an object.")
        body = AdminSettingsBody(data=given)
        body.is_valid(raise_exception=True)
        columns = {"userSettings": "settings", "userMappings": "user_mappings", "customAdapter": "custom_adapter"}
        changes = {columns[key]: value for key, value in body.validated_data.items()}
        save_account_settings(identity, changes, window=window_of(request))
        record(
            "account_settings.write",
            actor=f"rc:{hashed(identity.extension_id)[:16]}",
            detail={"members": sorted(changes)},
        )
        return text_reply("Admin settings updated")


class ServerLoggingViewSet(WireViewSet):
    """``/admin/serverLoggingSettings``: what a CRM needs to log calls while nobody is signed in."""

    @operation("serverLoggingSettings")
    def read(self, request: Request) -> Response:
        user = connected_user(request)
        try:
            return Response(with_adapter(user, lambda adapter: dict(adapter.server_logging_settings())))
        except UnsupportedOperation:
            return Response({})

    @operation("serverLoggingSettings")
    def write(self, request: Request) -> Response:
        user = connected_user(request)
        given = request.data.get("additionalFieldValues") if isinstance(request.data, dict) else None
        if not isinstance(given, dict):
            raise PlainText("Missing additionalFieldValues")
        fields = {key: value for key, value in given.items() if isinstance(value, str) and len(value) <= _LONGEST_FIELD}
        with audited("server_logging.write", actor=user.actor, platform=user.platform, owner=user.owner) as event:
            accepted, notice = change_server_logging(user, fields)
            event.detail["accepted"] = accepted
        return Response({"successful": accepted, "returnMessage": from_notice(notice)})
