"""Who logged in, and which host their token belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.contract import (
    AdoptedLogin,
    Credentials,
    FormerLogin,
    UnexpectedResponse,
    UserProfile,
    dig,
    id_of,
    require,
    require_id,
)

_COMPANY_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.pipedrive\.com", re.ASCII)


def is_company_host(hostname: str) -> bool:
    """Whether a token may be sent to this host."""
    return _COMPANY_HOST.fullmatch(hostname) is not None


def with_own_host(credentials: Credentials) -> Credentials:
    """The credentials with the host that the token reply names (``api_domain``), never one that a client sent."""
    api_domain = dig(credentials.extra, "token_reply.api_domain", str, "")
    return replace(credentials, hostname=_host(api_domain) if api_domain else "")


def granted_scopes(credentials: Credentials) -> frozenset[str]:
    """The scopes of the token reply; empty when it named none."""
    scope = dig(credentials.extra, "token_reply.scope", str, "")
    return frozenset(part for part in re.split(r"[,\s]+", scope) if part)


def profile(payload: Any) -> UserProfile:
    """The user of a ``GET /v1/users/me`` reply."""
    user = require(payload, "data", dict)
    domain = require(user, "company_domain", str)
    company = require_id(user, "company_id")
    return UserProfile(
        id=require_id(user, "id"),
        name=dig(user, "name", str, ""),
        timezone=_zone_name(user),
        hostname=_host(f"https://{domain}.pipedrive.com"),
        account_id=str(company),
        email=dig(user, "email", str, ""),
        extra={
            "companyId": company,
            "companyName": dig(user, "company_name", str, ""),
            "companyDomain": domain,
        },
    )


def adopted(former: FormerLogin) -> AdoptedLogin:
    """A login of another server. A stored host that is not a company's gets no token, but the domain may name it."""
    domain = dig(former.facts, "companyDomain", str, "")
    host = next(filter(is_company_host, (former.hostname.lower(), f"{domain.lower()}.pipedrive.com")), "")
    company = dig(former.facts, "companyId", int, 0) or dig(former.facts, "companyId", str, "")
    names = ("companyId", "companyName", "companyDomain")
    return AdoptedLogin(
        profile=UserProfile(
            id=id_of(former.user_id),
            name="",
            timezone=former.timezone,
            hostname=host,
            account_id=str(company or ""),
            extra={name: former.facts[name] for name in names if name in former.facts},
        ),
        credentials=replace(former.credentials, hostname=host) if host else Credentials(),
        used=frozenset(names),
    )


def _host(url: str) -> str:
    """The host of a URL, if it is a company's. Raises ``UnexpectedResponse``: tokens go nowhere else."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        host = ""
    if not is_company_host(host):
        raise UnexpectedResponse("Pipedrive named a host that is not its own.")
    return host


def _zone_name(user: Mapping[str, Any]) -> str:
    """The zone's name; the offset, a snapshot that daylight saving outdates, only where the name is not known here."""
    name = dig(user, "timezone_name", str, "")
    try:
        if name and ZoneInfo(name):
            return name
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    offset = dig(user, "timezone_offset", str, "")
    return f"UTC{offset}" if re.fullmatch(r"[+-]\d\d:\d\d", offset, re.ASCII) else ""
