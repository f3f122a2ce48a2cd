"""The OpenAPI description of the API, made from ``operations`` and the serializers that read the requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from drf_spectacular.generators import EndpointEnumerator, SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import append_meta
from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from adapters import registry
from adapters.contract import Direction
from connectors.api import call_down, replies, shown, urls, wire
from connectors.api.envelope import NO_TOKEN
from connectors.api.operations import OPERATIONS, Operation

_APP_TOKEN = "appToken"  # noqa: S105 - the name of a scheme
_QUERY_TOKEN = "jwtToken"  # noqa: S105
_SENTENCE = {"type": "string"}
_FOR_ADMINISTRATORS = ("/admin/settings", "/admin/userMapping", "/admin/reinitializeUserMapping")
_PART = re.compile(r"<str:(\w+)>")
_PARTY = {
    "type": "object",
    "properties": dict.fromkeys(("name", "phoneNumber", "extensionNumber", "location"), _SENTENCE),
}


def _item(field: shown.Items) -> dict[str, Any]:
    """An object of the list; its members may hold anything."""
    parties = {name: _PARTY for name in ("from", "to") if name in field.properties}
    return {"type": "object", "properties": {name: {} for name in field.properties} | parties}


_FIELDS: dict[type, Callable[[Any], dict[str, Any]]] = {
    wire.Text: lambda field: {"type": ["string", "number"], "maxLength": field.most},
    call_down.ContactId: lambda field: {"type": ["string", "integer"]},
    wire.RecordId: lambda field: {"type": ["string", "integer"], "maxLength": 255},
    wire.Moment: lambda field: {
        "oneOf": [{"type": "string", "format": "date-time"}, {"type": "integer", "minimum": 0}]
    },
    wire.Way: lambda field: {"type": "string", "enum": [str(item) for item in Direction]},
    shown.Seconds: lambda field: {"oneOf": [{"type": "number"}, {"type": "string", "enum": ["pending"]}]},
    shown.CallWay: lambda field: {"type": "string", "enum": [str(item) for item in Direction]},
    shown.PartyField: lambda field: _PARTY,
    shown.Media: lambda field: {"type": "object", "properties": {"link": _SENTENCE}},
    shown.Items: lambda field: {"type": "array", "items": _item(field)},
    replies.WireId: lambda field: {"type": ["string", "integer"]},
}


class WireEnumerator(EndpointEnumerator):
    """The routes of the extension, each method by the viewset that answers it."""

    def _get_api_endpoints(self, patterns: Any = None, prefix: str = "") -> list[tuple[str, str, str, Any]]:
        found = []
        for pattern in urls.urlpatterns:
            route = _PART.sub(r"{\1}", f"/{pattern.pattern}")
            methods = getattr(pattern.callback, "actions", {})
            found += [(route, route, method.upper(), pattern.callback) for method in methods]
        return found


class WireGenerator(SchemaGenerator):
    """Adds the routes that single vendors need, which are no viewsets, and the two ways to send a token."""

    endpoint_inspector_cls = WireEnumerator

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        document = super().get_schema(request=request, public=public)  # type: ignore[no-untyped-call]
        document.setdefault("components", {})["securitySchemes"] = {
            _APP_TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            _QUERY_TOKEN: {"type": "apiKey", "in": "query", "name": "jwtToken"},
        }
        for platform, manifest in registry.manifests().items():
            for route in manifest.server.routes:
                document["paths"][f"/{route.path.strip('/')}"] = {
                    method.lower(): _vendor_operation(platform, manifest.display_name, name)
                    for method, name in route.methods.items()
                }
        return document


def _vendor_operation(platform: str, display_name: str, name: str) -> dict[str, Any]:
    answers = {"200": "Done", "400": "Malformed", "401": "Not from the CRM", "413": "Too large", "429": "Too often"}
    return {
        "operationId": f"{platform}_{name}",
        "summary": f"{display_name}: {name.replace('_', ' ')}",
        "tags": [display_name],
        "security": [{}],
        "responses": {status: {"description": text} for status, text in answers.items()},
    }


class WireSchema(AutoSchema):
    """Describes one operation out of the table, and the fields that read what either client generation sends."""

    @property
    def _operation(self) -> Operation:
        return OPERATIONS[(self.method.upper(), self.path)]

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> Any:
        described = next((_FIELDS[kind] for kind in type(field).__mro__ if kind in _FIELDS), None)
        if described is None:
            return super()._map_serializer_field(field, direction, bypass_extensions)  # type: ignore[no-untyped-call]
        meta = self._get_serializer_field_meta(field, direction)  # type: ignore[no-untyped-call]
        return append_meta(described(field), meta)

    def is_excluded(self) -> bool:
        return (self.method.upper(), self.path) not in OPERATIONS

    def get_operation_id(self) -> str:
        return re.sub(r"\W+", "_", self.method.lower() + self.path).strip("_")

    def get_summary(self) -> str:
        return self._operation.summary

    def get_description(self) -> str:  # type: ignore[override] # as the library does itself
        return ""

    def get_tags(self) -> list[str]:
        return [self._operation.tag]

    def get_auth(self) -> list[Any]:
        needs_token = bool(self.view.authentication_classes)
        return [{_APP_TOKEN: []}, {_QUERY_TOKEN: []}] if needs_token else [{}]

    def get_override_parameters(self) -> list[Any]:
        return self._operation.parameters()

    def get_request_serializer(self) -> Any:
        return self._operation.body

    def get_response_serializers(self) -> Any:
        text = (200, "text/plain")
        found: dict[Any, Any] = {}
        if self._operation.reply is None:
            found[text] = _SENTENCE
        else:
            found[200] = self._operation.reply
        found[(400, "text/plain")] = OpenApiResponse(_SENTENCE, "What is wrong with the request, as a sentence")
        if self.path == "/apiKeyLogin":
            found[(400, "application/json")] = self._operation.reply
        if self.view.authentication_classes:
            found[401] = OpenApiResponse({"type": "object"}, "The login at the CRM has ended")
        if self._operation.tag == "Reports" or self.path in _FOR_ADMINISTRATORS:
            found[(403, "text/plain")] = OpenApiResponse(_SENTENCE, "Not an administrator")
        found[(413, "text/plain")] = OpenApiResponse(_SENTENCE, "Too large")
        found[(415, "text/plain")] = OpenApiResponse(_SENTENCE, "Neither JSON nor a form")
        found[(429, "text/plain")] = OpenApiResponse(_SENTENCE, "Too often; Retry-After tells the seconds to wait")
        return found

    def get_examples(self) -> list[Any]:
        operation = self._operation
        examples = []
        if operation.request_example is not None:
            examples.append(OpenApiExample("Request", operation.request_example, request_only=True))
        if operation.reply_example is not None:
            examples.append(OpenApiExample("Reply", operation.reply_example, response_only=True, status_codes=["200"]))
        if self.view.authentication_classes:
            examples.append(OpenApiExample("No token", NO_TOKEN, response_only=True, status_codes=["400"]))
        return examples
