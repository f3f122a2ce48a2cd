"""Who somebody is at RingCentral: hashed ids as the extension knows them, and verified access tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.conf import settings

from adapters.contract import ConnectorError, HttpClient, OutboundPolicy, dig, require_id
from connectors.models import CrmUser


def hashed(value: str | None) -> str:
    """The hashed form of a RingCentral id: SHA-256 over ``<value>:<HASH_KEY>``.

    A missing value hashes ``undefined``, as old clients expect.
    """
    return hashlib.sha256(f"{value or 'undefined'}:{settings.HASH_KEY}".encode()).hexdigest()


def claim_extension(user: CrmUser, hashed_id: str) -> str:
    """Keeps the extension of a user of whom none is known yet; returns the one that counts from now on."""
    rows = CrmUser.objects.filter(pk=user.pk)
    if not rows.filter(hashed_rc_extension_id="").update(hashed_rc_extension_id=hashed_id[:128]):
        hashed_id = rows.values_list("hashed_rc_extension_id", flat=True).first() or hashed_id
    user.hashed_rc_extension_id = hashed_id[:128]
    return user.hashed_rc_extension_id


@dataclass(frozen=True, kw_only=True)
class RingCentralIdentity:
    """The RingCentral user behind a verified access token."""

    account_id: str
    extension_id: str
    is_admin: bool


def ringcentral_client(token: str = "") -> HttpClient:
    """Speaks to RINGCENTRAL_SERVER and nobody else, as the bearer of ``token``."""
    server = settings.RINGCENTRAL_SERVER
    return HttpClient(
        base_url=server,
        hosts=[server.split("://", 1)[-1].split("/", 1)[0]],
        headers={"Authorization": f"Bearer {token}"} if token else {},
        policy=OutboundPolicy(
            connect_timeout=settings.OUTBOUND_CONNECT_TIMEOUT,
            read_timeout=settings.OUTBOUND_READ_TIMEOUT,
            ca_bundle=settings.OUTBOUND_CA_BUNDLE,
            proxy=settings.OUTBOUND_PROXY,
            allow_private_addresses=settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES,
            allow_plain_http=server.startswith("http://"),
        ),
        adapter="ringcentral",
    )


def verify_ringcentral_token(token: str) -> RingCentralIdentity:
    """Asks RingCentral who the token belongs to. Raises ``CredentialsRejected`` for a bad one."""
    return identify(ringcentral_client(token))


def identify(client: HttpClient) -> RingCentralIdentity:
    """Who the client's token belongs to. Source: RingCentral API reference, "Get Extension"."""
    extension = client.get("/restapi/v1.0/account/~/extension/~", template="/extension/~")
    extension_id = str(require_id(extension, "id"))
    return RingCentralIdentity(
        account_id=str(require_id(extension, "account.id")),
        extension_id=extension_id,
        is_admin=dig(extension, "permissions.admin.enabled", bool, False)
        or extension_id in settings.ADMIN_EXTENSION_IDS,
    )


def bind_account(user: CrmUser, identity: RingCentralIdentity) -> None:
    """Keeps that the user belongs to this RingCentral account: their request carried a token of it that verified.

    A login can only claim an account. The extension's identity is filled in where it is empty, and never changed.
    """
    extension = user.hashed_rc_extension_id or hashed(identity.extension_id)
    proven = {"rc_account_id": identity.account_id, "rc_account_verified": True, "hashed_rc_extension_id": extension}
    if any(getattr(user, name) != value for name, value in proven.items()):
        CrmUser.objects.filter(pk=user.pk).update(**proven)
        for name, value in proven.items():
            setattr(user, name, value)


def identity_if_verified(token: str) -> RingCentralIdentity | None:
    """The identity, or None where there is no token or RingCentral does not confirm it."""
    if not token:
        return None
    try:
        return verify_ringcentral_token(token)
    except ConnectorError:
        return None
