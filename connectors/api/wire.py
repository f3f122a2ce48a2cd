"""What all viewsets share: the base class, and fields that read what either client generation sends."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from adapters import registry
from adapters.contract import Direction
from adapters.contract.http import count_calls
from connectors.api import debug_replies
from connectors.api.authentication import AppTokenAuthentication, Token
from connectors.api.envelope import NO_TOKEN, PlainText
from connectors.api.throttling import UserThrottle, WrongTokenThrottle
from connectors.log_body import parse_time
from connectors.log_body.lengths import shortened
from connectors.models import CrmUser
from connectors.services.crm_access import AdapterMissing, SessionEnded
from connectors.services.settings import claim_account

LONG = 200_000  # characters of a note or transcript

_Action = TypeVar("_Action", bound=Callable[..., Any])


def operation(name: str, **always: Any) -> Callable[[_Action], _Action]:
    """Names an action as the reference server does, for error texts.

    ``always``: fields the client reads unguarded, which therefore stand in every JSON reply, errors included.
    """

    def named(action: _Action) -> _Action:
        vars(action).update(operation=name, always=always)
        return action

    return named


class WireViewSet(viewsets.ViewSet):
    """A resource of the extension's API."""

    authentication_classes = [AppTokenAuthentication]
    throttle_classes: list[type[BaseThrottle]] = [UserThrottle, WrongTokenThrottle]

    @property
    def operation(self) -> str:
        """The name of the operation asked for, for error texts; "" where it has none."""
        return getattr(self._action(), "operation", "")

    @property
    def always(self) -> dict[str, Any]:
        """Fields that every JSON reply of the operation holds."""
        return dict(getattr(self._action(), "always", {}))

    def _action(self) -> Any:
        return getattr(self, self.action or "", None)

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self._started = time.monotonic()
        with count_calls() as self._crm_calls:
            return super().dispatch(request, *args, **kwargs)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(getattr(response, "data", None), dict) and debug_replies.is_wanted(request):
            response.data = debug_replies.described(
                response.data,
                operation=self.operation or self.action or "",
                status=response.status_code,
                seconds=time.monotonic() - self._started,
                crm_calls=self._crm_calls.value,
            )
        token = vars(request).get("_auth")  # asked by name it would authenticate again where that failed
        if isinstance(token, Token) and token.refreshed:
            response["x-refreshed-jwt-token"] = token.refreshed
        response["Cache-Control"] = "no-store"
        return response


def read(kind: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """The data as serializers of a kind understand it. Raises ``ValidationError``."""
    if data is None:
        raise serializers.ValidationError("No data provided")
    values: dict[str, Any] = _reader(kind).run_validation(data)
    return values


@cache
def _reader(kind: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """One for all requests, since to make its fields takes longer than to read most bodies. It keeps nothing."""
    return kind()


def connected_user(request: Request) -> CrmUser:
    """The user behind the token.

    Raises a plain 400 without a valid token, ``AdapterMissing`` when the CRM is not offered any more, ``SessionEnded``
    when the login is gone.
    """
    user = token_user(request)
    if user.platform not in registry.manifests():
        raise AdapterMissing(user.platform)
    if not user.is_connected:
        raise SessionEnded(final=True)
    claim_account(user, request.headers.get("rc-account-id", ""))
    return user


def token_user(request: Request) -> CrmUser:
    """The same, connected or not."""
    if not isinstance(request.user, CrmUser):
        raise PlainText(NO_TOKEN)
    return request.user


def ringcentral_token(request: Request) -> str:
    """Header, body, or query, in this order; without a ``Bearer`` prefix."""
    body = request.data if isinstance(request.data, dict) else {}
    text = (
        request.headers.get("X-RC-Access-Token")
        or body.get("rcAccessToken")
        or request.query_params.get("rcAccessToken")
        or ""
    )
    text = str(text).strip()
    return text[7:].strip() if text.lower().startswith("bearer ") else text


class Text(serializers.Field[str, Any, str, Any]):
    """Text, or a number taken as text; null counts as empty."""

    def __init__(self, *, most: int = 1000, **kwargs: Any) -> None:
        self.most = most
        kwargs.setdefault("required", False)
        kwargs.setdefault("allow_null", True)
        kwargs.setdefault("default", None if kwargs["allow_null"] else "")
        if kwargs["required"]:
            kwargs.pop("default")
        super().__init__(**kwargs)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        if data is None and not self.allow_null and not self.required:
            return True, ""
        return super().validate_empty_values(data)

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, bool) or not isinstance(data, str | int | float):
            raise serializers.ValidationError("must be a text.")
        text = str(data).replace("\x00", "")
        if len(text) > self.most:
            raise serializers.ValidationError(f"must be at most {self.most} characters.")
        return text

    def to_representation(self, value: str) -> str:
        return value


class Key(Text):
    """A text that says which record is meant: there, and not blank."""

    def __init__(self, *, most: int) -> None:
        super().__init__(most=most, required=True, allow_null=False)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if not text.strip():
            raise serializers.ValidationError("must not be empty.")
        return text


class RecordId(serializers.Field[Any, Any, Any, Any]):
    """A CRM id in the CRM's own JSON type: text or whole number."""

    def to_internal_value(self, data: Any) -> str | int:
        if isinstance(data, bool) or not isinstance(data, str | int) or len(str(data)) > 255:
            raise serializers.ValidationError("must be an id: a text or a whole number.")
        return data.replace("\x00", "") if isinstance(data, str) else data

    def to_representation(self, value: Any) -> Any:
        return value


class Moment(serializers.Field[datetime, Any, str, Any]):
    """A time: ISO 8601, or epoch milliseconds. Where it may be absent, an empty text is."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        return super().validate_empty_values(None if data == "" and self.allow_null else data)

    def to_internal_value(self, data: Any) -> datetime:
        moment = None if isinstance(data, bool) else parse_time(data)
        if moment is None:
            raise serializers.ValidationError("must be an ISO 8601 time or epoch milliseconds.")
        return moment

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()


def way_of(value: Any) -> Direction | None:
    """Which way a call or message went, in any case of letters; None for anything else."""
    text = value.strip().casefold() if isinstance(value, str) else ""
    return next((item for item in Direction if text == item.casefold()), None)


class Way(serializers.Field[Direction, Any, str, Any]):
    """The direction of a message: it says who spoke."""

    def to_internal_value(self, data: Any) -> Direction:
        found = way_of(data)
        if found is None:
            raise serializers.ValidationError("must be Inbound or Outbound.")
        return found

    def to_representation(self, value: Direction) -> str:
        return str(value)


class Submission(serializers.DictField):
    """Form values by field name; ``none`` means nothing chosen. Anything but an object is an empty form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_null=True, default=dict, **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values: dict[str, Any] = super().to_internal_value(data if isinstance(data, dict) else {})
        return {key: value for key, value in values.items() if value != "none"}


def without_tokens(data: Any) -> Any:
    """A copy of the request without RingCentral tokens, its long texts cut, for adapters that map raw fields."""
    if isinstance(data, dict):
        return {
            key: without_tokens(value)
            for key, value in data.items()
            if key not in ("downloadUrl", "recordingDownloadLink", "rcAccessToken", "adminAssignedUserToken")
        }
    if isinstance(data, list):
        return [without_tokens(item) for item in data]
    return shortened(data, LONG) if isinstance(data, str) else data
