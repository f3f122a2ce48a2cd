"""Requests made up from the description of the API break nothing; and the description leaves nothing out."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from drf_spectacular.validation import validate_schema

from adapters import registry
from connectors.api import urls
from connectors.api.description import WireGenerator
from connectors.api.operations import OPERATIONS
from tests.fuzz import fuzz


@pytest.mark.slow
def test_no_request_made_up_from_the_description_is_a_server_error(tmp_path):
    findings = fuzz(tmp_path, examples=1, seed=1)  # besides the odd values that the shape of each operation suggests
    assert findings.server_errors == {}
    assert not findings.failed, findings.output[-6000:]
    assert findings.cases > 2500


@pytest.fixture(scope="module")
def document():
    return WireGenerator().get_schema(public=True)


def test_the_description_is_valid_openapi(document):
    validate_schema(document)


def test_every_route_and_method_is_described(document):
    vendor = {
        (method, f"/{route.path.strip('/')}")
        for manifest in registry.manifests().values()
        for route in manifest.server.routes
        for method in route.methods
    }
    routed = set(vendor)
    for pattern in urls.urlpatterns:
        methods = set(getattr(pattern.callback, "actions", {})) - {"head"}
        path = re.sub(r"<str:(\w+)>", r"{\1}", f"/{pattern.pattern}")
        routed |= {(method.upper(), path) for method in methods}
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == routed
    assert set(OPERATIONS) == routed - vendor


def test_every_operation_has_summary_replies_and_where_it_takes_a_body_its_shape(document):
    for (method, path), operation in OPERATIONS.items():
        found = document["paths"][path][method.lower()]
        assert found["summary"]
        assert {"200", "400", "429"} <= set(found["responses"])
        assert ("requestBody" in found) == (operation.body is not None)
        if operation.request_example is not None and operation.body is not None:
            body = operation.body(data=operation.request_example)
            assert body.is_valid(), body.errors


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_outside_the_sandbox_only_staff_see_the_description(client, settings, path):
    settings.SANDBOX = settings.DEBUG = False
    refused = client.get(path)
    assert (refused.status_code, refused.content) == (403, b"Sign in at /admin/ first.")
    client.force_login(User.objects.create_user("visitor", password="x" * 12))
    assert client.get(path).status_code == 403
    client.force_login(User.objects.create_user("kim", password="x" * 12, is_staff=True))
    assert client.get(path).status_code == 200
    settings.SANDBOX = True
    client.logout()
    assert client.get(path).status_code == 200


@pytest.mark.django_db
def test_the_documentation_loads_everything_from_this_server(client):
    page = client.get("/api/docs/").content.decode()
    assert "//" not in page.replace("<!doctype", "")
    assert "<style" not in page
    script = client.get("/api/docs/?script=")
    assert script["Content-Type"].startswith("application/javascript")
