"""An adapter's manifest: the half the extension sees, the half that is ours, and what is wrong with them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from adapters.contract.oauth import OAuthApp

#: Optional operations: name in ``capabilities`` = name of the method that offers it.
OPTIONAL_OPERATIONS = (
    "find_contacts_by_name",
    "set_disposition",
    "find_call_log",
    "find_message_log",
    "list_users",
    "license_status",
    "validate_session",
    "refresh_user",
    "account_data",
    "server_logging_settings",
    "save_server_logging_settings",
)
#: Rules of the conformance kit that a manifest may exempt a case, an operation or (``coverage`` aside) itself from.
EXEMPTIBLE_RULES = (
    *("coverage", "types", "failures", "writes", "edits"),
    *("reading", "appending", "ids", "numbers", "members", "pages"),
)
AUTH_TYPES = ("oauth", "api_key", "password")
TOKEN_AUTHS = ("basic", "post", "query")
_PLACEHOLDER = re.compile(r"\$\{([A-Z0-9_]+)\}")
_KINDS = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


class ManifestError(ValueError):
    """The manifest cannot be read; the message names the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """How a user logs in. URLs may hold ``{hostname}`` (checked against ``hosts``) and ``${VARIABLE}``."""

    #: By OAuth, by a key, or by user name and password; it decides which operations the kit asks for.
    type: str
    #: Where a code is exchanged and a token renewed.
    token_url: str = ""
    #: Where a token is revoked at logout; empty: the CRM has no such request.
    revoke_url: str = ""
    #: How the client secret travels to the token endpoint.
    token_auth: str = "basic"  # noqa: S105 - the name of a method
    #: Name of the variable that holds the client id.
    client_id: str = ""
    #: Name of the variable that holds the client secret.
    client_secret: str = ""
    #: Where the CRM sends the browser back to; must equal what the client used.
    redirect_uri: str = ""
    #: The vendor refuses an expired token before acting, so a write may be repeated after a refresh.
    retry_writes_after_401: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """The vendor's limit per connected user: requests in flight, and starts within a time span in seconds."""

    #: Requests of one user that may wait for an answer at once; 0: any number.
    in_flight: int = 0
    #: Requests of one user that may begin within ``seconds``; 0: any number.
    starts: int = 0
    #: The time span of ``starts``.
    seconds: float = 1
    #: A refusal for no longer than so many seconds is waited out, and the request sent again, at most twice.
    patience: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A page or hook only this vendor needs: HTTP method -> name handed to ``CrmAdapter.handle_route``."""

    #: Its address on this server, such as ``/acme-redirect``.
    path: str
    #: HTTP method -> name handed to ``handle_route``.
    methods: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerHalf:
    """What only Switchboard needs to know of a CRM."""

    #: How a user logs in.
    auth: Auth
    #: Joined with relative URLs; may hold ``{hostname}`` and ``${VARIABLE}``; an adapter may override ``base_url()``.
    base_url: str = ""
    #: Hosts requests may go to: exact, or ``*.example.com`` for any depth below; ``${VARIABLE}``: host of that URL.
    hosts: tuple[str, ...] = ()
    #: Further hosts that signed uploads go to, without credentials.
    upload_hosts: tuple[str, ...] = ()
    #: Seconds to wait for an answer; default: the installation's setting.
    read_timeout: float | None = None
    #: The vendor's limit per connected user; requests wait for their turn.
    pace: Pace | None = None
    #: Optional operations that the adapter offers.
    capabilities: tuple[str, ...] = ()
    #: Rule of the conformance kit, with ``.<operation>`` or ``.<operation>__<case>`` -> reason why it does not apply.
    exempt: Mapping[str, str] = field(default_factory=dict)
    #: Environment variables without which the CRM cannot be reached; values are secret.
    secrets: tuple[str, ...] = ()
    #: Optional environment variables with their defaults; a default may name another ``${VARIABLE}``.
    settings: Mapping[str, str] = field(default_factory=dict)
    #: Keys offered through ``account_data``.
    account_data: tuple[str, ...] = ()
    #: Pages and hooks that only this vendor needs.
    routes: tuple[Route, ...] = ()
    #: Whether the host is part of a user's identity (the same number in two regions is two people).
    host_in_identity: bool = False
    #: Seconds after a request without an answer for which its effect may still appear in the CRM: the CRM's longest
    #: processing time and the lag of its search index. A record in doubt is not written again before.
    #: None: ``DELIVERY_SETTLING_SECONDS``, 90 by default.
    settling_seconds: int | None = None
    #: How many characters the CRM takes as the body of a log; None: not known. A longer one is shortened, transcripts
    #: first.
    body_length: int | None = None
    #: How many characters the CRM takes as the title of a log; None: not known. A longer one is cut.
    title_length: int | None = None
    #: For the demonstration CRM: registered only where SANDBOX is on; plain HTTP and loopback are allowed.
    sandbox: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One CRM as data. ``name`` is the platform key on the wire; the folder is its lower-case form."""

    name: str
    client: Mapping[str, Any]
    server: ServerHalf

    @property
    def display_name(self) -> str:
        return str(self.client.get("displayName") or self.name)

    @property
    def variables(self) -> tuple[str, ...]:
        """Every environment variable this manifest names."""
        return (*self.server.secrets, *self.server.settings)

    @property
    def has_setting_choices_of_the_crm(self) -> bool:
        """Whether a setting is chosen from a list that only the CRM knows (``dynamicOptions``)."""
        sections = self.client.get("settings") or ()
        return any(item.get("dynamicOptions") for section in sections for item in section.get("items") or ())

    @property
    def placeholders(self) -> frozenset[str]:
        """Every variable that a text of this manifest is to be filled with."""
        server = self.server
        texts = (*server.hosts, server.base_url, server.auth.token_url, server.auth.revoke_url)
        found = _PLACEHOLDER.findall(json.dumps([dict(self.client), texts, server.auth.redirect_uri]))
        return frozenset(found)

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Reads ``{"client": {...}, "server": {...}}``, beside which editors find the ``$schema``.

        Raises ``ManifestError`` on a wrong shape or an unknown key.
        """
        try:
            document = json.loads(text)
        except ValueError as error:
            raise ManifestError(f"not JSON: {error}") from None
        halves = _object(document, "the manifest")
        if set(halves) - {"$schema"} != {"client", "server"}:
            raise ManifestError("the manifest must hold exactly 'client' and 'server'")
        client = _client(halves["client"])
        server = dict(_object(halves["server"], "server"))
        server["auth"] = _build(Auth, server.get("auth"), "server.auth")
        if "pace" in server:
            server["pace"] = _build(Pace, server["pace"], "server.pace")
        routes = _objects(server.get("routes", []), "server.routes")
        server["routes"] = tuple(_build(Route, route, f"server.routes.{n}") for n, route in enumerate(routes))
        for key in ("hosts", "upload_hosts", "capabilities", "secrets", "account_data"):
            value = server.get(key, [])
            server[key] = tuple(value) if isinstance(value, list) else value
        return cls(name=client["name"], client=client, server=_build(ServerHalf, server, "server"))

    def client_half(self, variables: Mapping[str, str]) -> dict[str, Any]:
        """A copy of the client half with every ``${VARIABLE}`` filled in; unknown ones become empty."""
        return _fill(copy.deepcopy(dict(self.client)), variables)  # type: ignore[no-any-return]

    def base_url(self, *, secrets: Mapping[str, str], hostname: str = "") -> str:
        """``server.base_url`` with ``${VARIABLE}`` and ``{hostname}`` filled in."""
        return str(_fill(self.server.base_url, secrets)).replace("{hostname}", hostname)

    def oauth_app(self, *, secrets: Mapping[str, str], hostname: str = "", server_url: str = "") -> OAuthApp:
        """The OAuth application that ``auth`` describes, for a host that has been checked."""
        values = {**secrets, "APP_SERVER": server_url}
        auth = self.server.auth

        def url(template: str) -> str:
            return str(_fill(template, values)).replace("{hostname}", hostname)

        return OAuthApp(
            client_id=secrets.get(auth.client_id, ""),
            client_secret=secrets.get(auth.client_secret, ""),
            token_url=url(auth.token_url),
            revoke_url=url(auth.revoke_url),
            redirect_uri=url(auth.redirect_uri),
            token_auth=auth.token_auth,
        )


def _fill(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        for _ in range(2):  # a default may name another variable
            value = _PLACEHOLDER.sub(lambda match: variables.get(match[1], ""), value)
        return value
    if isinstance(value, dict):
        return {key: _fill(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, variables) for item in value]
    return value


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ManifestError(f"{where} must be an object")
    return value


def _objects(value: Any, where: str) -> list[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ManifestError(f"{where} must be a list of objects")
    return value


def _client(value: Any) -> Mapping[str, Any]:
    """The client half, with the shape that whoever serves or checks it relies on; the rest is the extension's."""
    client = _object(value, "client")
    for key in ("name", "displayName"):
        if not isinstance(client.get(key, ""), str):
            raise ManifestError(f"client.{key} must be a text")
    for key in ("environment", "auth", "page", "serverSideLogging"):
        _object(client.get(key, {}), f"client.{key}")
    for key in ("apiKey", "oauth"):
        _object(client.get("auth", {}).get(key, {}), f"client.auth.{key}")
    for form in ("callLog", "messageLog", "newContact"):
        where = f"client.page.{form}"
        fields_of_form = _object(client.get("page", {}).get(form, {}), where).get("additionalFields", [])
        for number, item in enumerate(_objects(fields_of_form, f"{where}.additionalFields")):
            _object(item.get("defaultSettingValues", {}), f"{where}.additionalFields.{number}.defaultSettingValues")
    for number, section in enumerate(_objects(client.get("settings", []), "client.settings")):
        _objects(section.get("items", []), f"client.settings.{number}.items")
    return {"name": "", **client}


def _build(kind: type[Any], value: Any, where: str) -> Any:
    members = _object(value, where)
    if unknown := sorted(set(members) - {item.name for item in fields(kind)}):
        raise ManifestError(f"unknown key {where}.{unknown[0]}")
    for name, hint in get_type_hints(kind).items():
        if name in members and not _fits(members[name], hint):
            raise ManifestError(f"{where}.{name} must be {_kind(hint)}")
    try:
        return kind(**members)
    except TypeError as error:
        raise ManifestError(f"{where}: {str(error).split('__init__() ')[-1]}") from None


def _fits(value: Any, hint: Any) -> bool:
    """Whether a member is of the type its dataclass declares; what is a dataclass itself is built already."""
    inner = get_args(hint)
    if get_origin(hint) is UnionType:
        return any(_fits(value, option) for option in inner)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(item, inner[0]) for item in value)
    if get_origin(hint) is Mapping:
        return isinstance(value, dict) and all(_fits(item, inner[1]) for item in value.values())
    if hint in (int, float) and isinstance(value, bool):
        return False
    return isinstance(value, (int, float) if hint is float else hint)


def _kind(hint: Any) -> str:
    inner = get_args(hint)
    if get_origin(hint) is UnionType:
        return _kind(inner[0])
    if get_origin(hint) in (tuple, Mapping):
        return f"{'a list' if get_origin(hint) is tuple else 'an object'} of texts"
    return "an object" if is_dataclass(hint) else _KINDS[hint]
