"""The administrator's mapping of CRM users to RingCentral users, for both client generations."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from adapters import registry
from adapters.contract import ConnectorError
from audit.recorder import audited
from connectors.api.envelope import PlainText
from connectors.api.settings import administrator, window_of
from connectors.api.wire import WireViewSet, connected_user, operation
from connectors.services.crm_access import SessionEnded
from connectors.services.mapping_rules import Extension
from connectors.services.user_mapping import MappedUser, map_users


class UserMappingBody(serializers.Serializer[Any]):
    """Body of ``POST /admin/userMapping``: the company's RingCentral users, as the extension has them."""

    rcExtensionList = serializers.ListField(child=serializers.DictField(), max_length=50_000)


def _extension(listed: dict[str, Any]) -> Extension | None:
    """One entry of the client's list; None for one without an id."""
    identity = listed.get("id")
    if (
        isinstance(identity, bool)
        or not isinstance(identity, str | int)
        or not str(identity)
        or len(str(identity)) > 64
    ):
        return None

    def text(name: str) -> str:
        value = listed.get(name)
        return str(value)[:255] if isinstance(value, str | int) and not isinstance(value, bool) else ""

    name = text("name") or f"{text('firstName')} {text('lastName')}".strip()
    return Extension(id=identity, name=name, number=text("extensionNumber"), email=text("email"))


def _rc_user(extension: Extension) -> dict[str, Any]:
    return {
        "extensionId": extension.id,
        "name": extension.name,
        "extensionNumber": extension.number,
        "email": extension.email,
    }


def _on_wire(mapped: MappedUser, *, as_list: bool) -> dict[str, Any]:
    """``rcUser``: all of them as a list; for a query-token client the first as an object, where there is one."""
    one = {"crmUser": {"id": mapped.user.id, "name": mapped.user.name, "email": mapped.user.email}}
    rc_users = [_rc_user(extension) for extension in mapped.extensions]
    if as_list:
        return {**one, "rcUser": rc_users}
    return {**one, "rcUser": rc_users[0]} if rc_users else one


def _unlisted(platform: str, error: ConnectorError) -> PlainText:
    """Why there is no mapping, as a text: the client shows no other answer to its administrator."""
    parts = (error.message, error.reason, error.advice)
    crm = registry.display_name(platform)
    return PlainText(f"The users of {crm} could not be listed. {' '.join(part for part in parts if part)}")


class UserMappingViewSet(WireViewSet):
    """``/admin/userMapping`` and ``/admin/reinitializeUserMapping``.

    The client stores what it reads with its next ``POST /admin/settings``: a failure is never answered with a list.
    """

    @operation("userMapping")
    def read(self, request: Request) -> Response:
        return self._mapped(request, anew=False)

    @operation("userMapping")
    def begin_anew(self, request: Request) -> Response:
        return self._mapped(request, anew=True)

    def _mapped(self, request: Request, *, anew: bool) -> Response:
        user = connected_user(request)
        body = UserMappingBody(data=request.data)
        body.is_valid(raise_exception=True)
        who = administrator(request)
        extensions = [found for listed in body.validated_data["rcExtensionList"] if (found := _extension(listed))]
        action = "user_mapping.begin_anew" if anew else "user_mapping.read"
        with audited(action, actor=user.actor, platform=user.platform, owner=user.owner) as event:
            try:
                mapped = map_users(
                    user=user, administrator=who, extensions=extensions, anew=anew, window=window_of(request)
                )
            except SessionEnded:
                raise
            except ConnectorError as error:
                raise _unlisted(user.platform, error) from error
            event.detail = {"users": len(mapped), "mapped": sum(bool(one.extensions) for one in mapped)}
        as_list = request.headers.get("Authorization", "").lower().startswith("bearer ")
        return Response([_on_wire(one, as_list=as_list) for one in mapped])
