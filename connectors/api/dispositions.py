"""Dispositions: what came of a logged call, chosen in the extension's form."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from adapters.contract import Disposition
from connectors.api.call_logs import extension_of
from connectors.api.envelope import from_notice, return_message
from connectors.api.wire import Key, Text, WireViewSet, connected_user, operation, read, without_tokens
from connectors.deliveries.changes import CallIdentity
from connectors.services import call_logs


class DispositionBody(serializers.Serializer[Any]):
    """Body of ``PUT /callDisposition``."""

    sessionId = Key(most=128)
    dispositions = serializers.DictField()
    extensionNumber = Text(most=64)
    hashedExtensionId = Text(most=128)


class DispositionViewSet(WireViewSet):
    """``PUT /callDisposition``."""

    @operation("upsertCallDisposition")
    def update(self, request: Request) -> Response:
        user = connected_user(request)
        given = read(DispositionBody, request.data)
        chosen = {key: None if value == "none" else value for key, value in given["dispositions"].items()}
        identity = CallIdentity(session_id=given["sessionId"], extension=extension_of(user, request, given))
        try:
            result = call_logs.set_disposition(
                user=user,
                identity=identity,
                disposition=Disposition(fields=chosen, wire=without_tokens(request.data)),
            )
        except call_logs.NotLogged:
            return Response({"successful": False, "returnMessage": return_message("Cannot find log", ttl=3000)})
        if result is None:
            return Response({"successful": False, "returnMessage": None})
        message = from_notice(result.notice) if result.notice else None
        return Response({"successful": True, "returnMessage": message})
