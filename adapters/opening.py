"""Constructs an adapter with its HTTP client, as the installation's settings say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from django.conf import settings

from adapters import registry
from adapters.contract import (
    AccountCache,
    AdapterContext,
    Credentials,
    CrmAdapter,
    HttpClient,
    Options,
    OutboundPolicy,
    UserProfile,
)


def construct(
    *,
    platform: str,
    user: UserProfile,
    credentials: Credentials,
    cache: AccountCache,
    options: Options | None = None,
    pace_key: str = "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> CrmAdapter:
    """An adapter for these credentials; nothing is read or written, no request is made. ``now``: its clock."""
    manifest = registry.manifests()[platform]
    adapter = registry.adapter_class(platform)
    context = AdapterContext(
        manifest=manifest,
        user=user,
        credentials=credentials,
        options=options or Options(),
        secrets=registry.secrets_for(manifest),
        cache=cache,
        server_url=settings.APP_SERVER,
        now=now,
    )
    http = HttpClient(
        base_url=adapter.base_url(context),
        hosts=registry.hosts_for(manifest),
        headers=adapter.auth_headers(context),
        policy=OutboundPolicy(
            connect_timeout=settings.OUTBOUND_CONNECT_TIMEOUT,
            read_timeout=settings.OUTBOUND_READ_TIMEOUT,
            ca_bundle=settings.OUTBOUND_CA_BUNDLE,
            proxy="" if manifest.server.sandbox else settings.OUTBOUND_PROXY,
            allow_private_addresses=manifest.server.sandbox or settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES,
            allow_plain_http=registry.speaks_plain_http(manifest),
        ),
        adapter=manifest.name,
        read_timeout=manifest.server.read_timeout,
        upload_hosts=manifest.server.upload_hosts,
        pace=manifest.server.pace,
        pace_key=pace_key,
        clock=now,
    )
    return adapter(http=http, context=context)
