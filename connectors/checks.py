"""System checks: what makes an installation unsafe (errors) or surprising (warnings), except under development.

Django runs checks for its commands but not under a WSGI server, so ``config.wsgi`` asks ``refuse_if_unsafe`` itself.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port, validate_host

from adapters import registry
from connectors.installation import problem_of_keys
from connectors.key_strength import weakness_of_key, weakness_of_secret

_GENERATE = "Unset it: manage.py make_secrets then makes one, or prints one with --print."


@register(Tags.security)
def check_security(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Everything below; nothing under development."""
    return [] if _is_development() else [*_errors(), *_warnings()]


@register(Tags.database)
def check_keys(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Whether the stored logins belong to these keys: for ``migrate`` and ``check --database``."""
    return _problem_of_keys() if databases else []


@register(Tags.security, deploy=True)
def check_keys_before_serving(app_configs: Any = None, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """The same, for ``check --deploy``."""
    return [] if databases else _problem_of_keys()


def _problem_of_keys() -> list[CheckMessage]:
    problem = problem_of_keys()
    return [Warning(problem, id="connectors.W009")] if problem else []


def refuse_if_unsafe() -> None:
    """Raises ``ImproperlyConfigured`` naming every error: a server does not start on keys that anybody knows."""
    found = [] if _is_development() else [f"{error.msg} ({error.id})" for error in _errors()]
    if found := [*found, *_unknown_adapters()]:
        raise ImproperlyConfigured("\n".join(found))


def _unknown_adapters() -> Iterator[str]:
    """Names in ENABLED_ADAPTERS that no folder has: not those of a broken adapter, which stops no other."""
    broken = (Path(folder).name for folder in registry.broken())
    there = {name.lower() for name in (*registry.shipped(), *registry.manifests(), *broken)}
    for name in settings.ENABLED_ADAPTERS:
        if name.lower() not in there:
            yield f"ENABLED_ADAPTERS names {name!r}, which is not there; there are: {', '.join(registry.shipped())}."


def _is_development() -> bool:
    """DEBUG alone does not make it so: at an address for others, keys that anybody knows open everybody's door."""
    return bool(settings.DEBUG) and _is_this_machine(urlsplit(settings.APP_SERVER).hostname or "")


def _errors() -> Iterator[CheckMessage]:
    if weakness := weakness_of_secret(settings.APP_SERVER_SECRET_KEY):
        yield Error(f"APP_SERVER_SECRET_KEY {weakness}.", hint=_GENERATE, id="connectors.E001")
    for number, secret in enumerate(settings.APP_SERVER_SECRET_KEY_FALLBACKS, 1):
        if weakness := weakness_of_secret(secret):
            yield Error(
                f"APP_SERVER_SECRET_KEY_FALLBACKS: key {number} {weakness}; tokens signed with it would be believed.",
                hint="Remove it: its tokens are then refused, and their users connect again.",
                id="connectors.E002",
            )
    if weakness := weakness_of_secret(settings.SECRET_KEY):
        yield Error(f"DJANGO_SECRET_KEY {weakness}.", hint="Leave it out: it is derived.", id="connectors.E003")
    first, *_ = settings.CREDENTIAL_KEYS.items()
    if weakness := weakness_of_key(first[1]):
        yield Error(f"CREDENTIAL_KEYS: key {first[0]} {weakness}.", hint=_GENERATE, id="connectors.E004")
    if not settings.HASH_KEY:
        yield Error(
            "HASH_KEY must be set: without it anybody can compute the hashed RingCentral ids.",
            hint=_GENERATE + " It must stay the same afterwards, since stored ids were made with it.",
            id="connectors.E005",
        )
    if _is_open_http(settings.APP_SERVER) and not settings.SANDBOX:
        yield Error(
            "APP_SERVER must be https: tokens and notes would cross the network in clear.",
            hint="Put a proxy with a certificate in front and name its https address.",
            id="connectors.E006",
        )
    if _is_open_http(settings.RINGCENTRAL_SERVER):
        yield Error("RINGCENTRAL_SERVER must be https: RingCentral access tokens are sent there.", id="connectors.E007")


def _warnings() -> Iterator[CheckMessage]:
    public = settings.APP_SERVER.startswith("https://")
    for key_id, key in list(settings.CREDENTIAL_KEYS.items())[1:]:
        if weakness := weakness_of_key(key):
            yield Warning(
                f"CREDENTIAL_KEYS: key {key_id} {weakness}.",
                hint="Run manage.py rotate_credential_keys, then remove it.",
                id="connectors.W001",
            )
    if settings.HASH_KEY and len(settings.HASH_KEY) < 16:
        yield Warning(
            "HASH_KEY is shorter than 16 characters.",
            hint="Keep it if users are connected already: stored ids were made with it.",
            id="connectors.W002",
        )
    if public and settings.SANDBOX:
        yield Warning("SANDBOX is on at a public address: anybody can connect to the Test CRM.", id="connectors.W003")
    if public and not settings.TRUSTED_PROXIES:
        yield Warning(
            "APP_SERVER is https but TRUSTED_PROXIES is 0: behind a proxy all callers count as one address.",
            hint="Set TRUSTED_PROXIES to the number of proxies in front of this server.",
            id="connectors.W004",
        )
    if settings.OUTBOUND_ALLOW_PRIVATE_ADDRESSES:
        yield Warning(
            "OUTBOUND_ALLOW_PRIVATE_ADDRESSES is on: a host name may lead into your own network.",
            id="connectors.W005",
        )
    if bool(settings.RINGCENTRAL_CLIENT_ID) != bool(settings.RINGCENTRAL_CLIENT_SECRET):
        yield Warning(
            "RINGCENTRAL_CLIENT_ID and RINGCENTRAL_CLIENT_SECRET belong together: reports are off.",
            hint="Set both, or neither.",
            id="connectors.W010",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning("ALLOWED_HOSTS accepts every host name.", id="connectors.W006")
    elif not validate_host(host := split_domain_port(urlsplit(settings.APP_SERVER).netloc)[0], settings.ALLOWED_HOSTS):
        yield Warning(
            f"ALLOWED_HOSTS lacks {host}, the host of APP_SERVER: every request there is refused.",
            hint="Add it, or leave ALLOWED_HOSTS out: it then holds that host and this machine.",
            id="connectors.W008",
        )
    if _is_unverified_database(settings.DATABASES["default"]):
        yield Warning(
            "The connection to the database's host does not verify its certificate.",
            hint="Add ?sslmode=verify-full&sslrootcert=system to DATABASE_URL.",
            id="connectors.W007",
        )


def _is_open_http(url: str) -> bool:
    """Plain http to anything but this machine."""
    parts = urlsplit(url)
    return parts.scheme != "https" and not _is_this_machine(parts.hostname or "")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_unverified_database(database: dict[str, Any]) -> bool:
    host = database.get("HOST") or ""
    if not database["ENGINE"].endswith("postgresql") or not host or host.startswith("/") or _is_this_machine(host):
        return False
    return database.get("OPTIONS", {}).get("sslmode") not in ("verify-ca", "verify-full")
