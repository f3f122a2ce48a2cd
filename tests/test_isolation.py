"""One user's token never reaches another tenant's records, at any endpoint; colleagues share their logs only."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pytest
from django.db import transaction

from adapters import registry
from connectors.api import settings as settings_api
from connectors.api import urls
from connectors.services import crm_access, identity, ringcentral_login
from connectors.services.identity import RingCentralIdentity
from tests.isolation import RELATIONS, REQUESTS, FakeCrm, FakeRingCentral, as_markdown, cells, expected


class _Undo(Exception):
    pass


@pytest.mark.django_db
def test_every_endpoint_against_every_relation(monkeypatch, capsys):
    crm = FakeCrm()
    mine = RingCentralIdentity(account_id="rc-mine", extension_id="1", is_admin=True)
    for module in (settings_api, identity):
        monkeypatch.setattr(module, "verify_ringcentral_token", lambda token: mine)
    monkeypatch.setattr(crm_access.registry, "adapter_class", crm.adapter_class)
    monkeypatch.setattr(registry, "missing_secrets", lambda manifest: [])
    monkeypatch.setattr(ringcentral_login, "is_configured", lambda: True)
    monkeypatch.setattr(ringcentral_login, "ringcentral_client", lambda token="": FakeRingCentral(crm, token))

    @contextmanager
    def fresh_database():
        try:
            with transaction.atomic():
                yield crm
                raise _Undo
        except _Undo:
            pass

    results = {(request, relation): found for request, relation, found in cells(fresh_database)}
    with capsys.disabled():
        if os.environ.get("ISOLATION_TABLE") == "on":
            print("\n" + as_markdown(results))
    wrong = {cell: found for cell, found in results.items() if bool(found) != expected(*cell)}
    assert wrong == {}
    assert len(results) == len(REQUESTS) * len(RELATIONS)


def test_no_endpoint_is_left_out_of_the_table():
    covered = {request.split(",")[0].split(" with")[0].split(" by")[0] for request in REQUESTS}
    vendor = {route.path.strip("/") for item in registry.manifests().values() for route in item.server.routes}
    for pattern in urls.urlpatterns:
        route = str(pattern.pattern)
        if route in vendor:
            continue
        for method in set(pattern.callback.actions) - {"head"}:
            assert f"{method.upper()} /{route}" in covered
