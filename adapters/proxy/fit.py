"""Whether a definition and its manifest fit each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters.contract import Manifest
from adapters.contract.outbound_guard import refusal
from adapters.proxy.definition import Definition

_WIDE_PATTERN = re.compile(r"\*\.?[^.]*")


def misfits(definition: Definition, manifest: Manifest) -> list[str]:
    """Every fault with its path."""
    return [*_names(definition, manifest), *_hosts(definition, manifest)]


def _names(definition: Definition, manifest: Manifest) -> Iterator[str]:
    name = definition.name
    if name and name != manifest.name:
        yield f"meta.name: must be the platform key {manifest.name!r}"
    secret_key = f"{manifest.name.upper()}_SECRET_KEY"
    for where, path in dict.fromkeys(definition.variables()):
        root, _, variable = path.partition(".")
        if root == "secretKey" and secret_key not in manifest.variables:
            yield f"{where}: {{{{secretKey}}}} is the variable {secret_key}, which manifest.json does not name"
        if root == "secrets" and variable not in manifest.variables:
            yield f"{where}: manifest.json does not name the variable {variable!r}"
    if manifest.server.auth.type == "oauth" and definition.signs_in_with_form:
        yield "operations.getUserInfo: an OAuth sign-in has no form and no key to replace"


def _hosts(definition: Definition, manifest: Manifest) -> Iterator[str]:
    server = manifest.server
    for pattern in server.hosts:
        if _WIDE_PATTERN.fullmatch(pattern):
            yield f"manifest.json: server.hosts: {pattern!r} lets requests go anywhere"
    if server.read_timeout is not None and not 1 <= server.read_timeout <= 60:
        yield "manifest.json: server.read_timeout must be from 1 to 60 seconds"
    if server.base_url and not server.sandbox and not server.base_url.startswith(("https://", "${")):
        yield "manifest.json: server.base_url must begin with https://"
    for operation in definition.operations.values():
        where = f"operations.{operation.name}.url"
        host = operation.url.host
        if host is None:
            if not server.base_url:
                yield f"{where}: manifest.json has no server.base_url to join it to"
        elif not host.paths and (reason := refusal(f"https://{host.parts[0]}/", server.hosts)):
            yield f"{where}: {reason}; manifest.json lists them under server.hosts"
