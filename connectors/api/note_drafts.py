"""Note drafts: a note kept until its call is logged."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.api.shown import LongText
from connectors.api.wire import Key, WireViewSet, connected_user, operation
from connectors.services import note_drafts


class NoteBody(serializers.Serializer[Any]):
    """Body of ``POST /callLog/cacheNote``."""

    sessionId = Key(most=128)
    note = LongText(allow_null=False)


class NoteDraftViewSet(WireViewSet):
    """``POST /callLog/cacheNote``."""

    @operation("saveNoteCache")
    def create(self, request: Request) -> Response:
        user = connected_user(request)
        body = NoteBody(data=request.data)
        body.is_valid(raise_exception=True)
        note_drafts.save_note_draft(
            user=user, session_id=body.validated_data["sessionId"], note=body.validated_data["note"]
        )
        return Response({"successful": True, "returnMessage": "Note cache saved"})
