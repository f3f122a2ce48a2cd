"""Sends the request of an operation, and the further ones of an answer in pages."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from adapters.contract import CredentialsRejected, HttpClient, Reply, RequestRejected, UnexpectedResponse, dig
from adapters.proxy.definition import AuthRule, Definition, Operation, Pagination
from adapters.proxy.reading import place, table
from adapters.proxy.template import MISSING, Renderer, header_value, text_of

Values = Mapping[str, Any]

#: What stands where a cursor would, on the last page.
_NO_CURSOR: tuple[object, ...] = (None, "", False, [], {})
_NEXT_LINK = re.compile(r"<([^<>]*)>\s*;[^<]*\brel=\"?next\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a list answered: its rows, and whether there are more than the definition allows to read."""

    rows: list[dict[str, Any]]
    is_cut: bool = False


class Sender:
    """Requests of one definition. ``prepared_auth``: the header's value where the definition has no template."""

    def __init__(self, http: HttpClient, definition: Definition, common: Values, prepared_auth: str) -> None:
        self._http = http
        self._definition = definition
        self._common = {**common, **({"authHeader": prepared_auth} if prepared_auth else {})}
        self._prepared_auth = prepared_auth

    def send(self, operation: Operation, own: Values, *, page: Values | None = None, url: str = "") -> Reply:
        """One exchange. ``page``: what asks for a page, in the query or the body. ``url``: instead of the definition's.

        Raises ``UnexpectedResponse`` for an answer that is not JSON, and any other ``ConnectorError``.
        """
        renderer = Renderer({**own, **self._common})
        body = renderer.json(operation.body)
        query = self._query(renderer, operation)
        if operation.pagination and operation.pagination.in_body:
            body = _with_members(body, page or {})
        else:
            query |= page or {}
        reply = self._http.send(
            operation.method,
            url or renderer.url(operation.url),
            params=None if url else query,
            headers=self._headers(renderer, operation),
            template=None if url else operation.url.path.shape(),
            read=operation.is_read,
            json=None if body is MISSING else body,
        )
        if reply.text and not reply.is_json:
            is_read = operation.is_read or operation.method == "GET"
            raise UnexpectedResponse(reason="the answer is not JSON", status=reply.status, maybe_applied=not is_read)
        return reply

    def changes_nothing(self, operation: Operation, own: Values) -> bool:
        """Whether the operation has a body and nothing of it is known."""
        if operation.body is None:
            return False
        body = Renderer({**own, **self._common}).json(operation.body)
        return body is MISSING or body == {}

    def list(self, operation: Operation, own: Values) -> Page:
        """All rows at ``listPath``, page after page where the definition says so."""
        pagination, path = operation.pagination, operation.mapping["listPath"]
        if pagination is None:
            return Page(rows=table({"body": self.send(operation, own).body}, path))
        found: list[dict[str, Any]] = []
        page, url = _first_page(pagination), ""
        for number in range(pagination.most_pages):
            reply = self.send(operation, own, page=page, url=url)
            rows = table({"body": reply.body}, path)
            found += rows
            following = _following(pagination, page, reply, len(rows), number + 1)
            if following is None:
                return Page(rows=found)
            page, url = following
        return Page(rows=found, is_cut=True)

    def _query(self, renderer: Renderer, operation: Operation) -> dict[str, Any]:
        templates = {**self._definition.query, **operation.query}
        values = {name: renderer.query(template) for name, template in templates.items()}
        return {name: value for name, value in values.items() if value is not None}

    def _headers(self, renderer: Renderer, operation: Operation) -> dict[str, str]:
        """The definition's, then the operation's, then the login's; a later spelling of a name replaces an earlier."""
        headers: dict[str, tuple[str, str | None]] = {}
        for name, template in (*self._definition.headers.items(), *operation.headers.items()):
            headers[name.lower()] = (name, renderer.header(template))
        rule = operation.auth or self._definition.auth
        may_lack = operation.name == "signIn" and operation.auth is None  # there may be no key yet
        if credential := self._credential(renderer, rule, may_lack=may_lack):
            headers[rule.header.lower()] = (rule.header, credential)
        return {name: value for name, value in headers.values() if value is not None}

    def _credential(self, renderer: Renderer, rule: AuthRule, *, may_lack: bool) -> str:
        if rule.credential is None:
            return self._prepared_auth
        try:
            text = renderer.required(rule.credential)
        except RequestRejected as error:
            if may_lack:
                return ""
            raise CredentialsRejected("The login is incomplete.", reason=error.reason) from None
        encoded = base64.b64encode(text.encode(errors="replace")).decode() if rule.in_base64 else text
        return header_value(f"{rule.scheme} {encoded}" if rule.scheme else encoded)


def _first_page(pagination: Pagination) -> dict[str, Any]:
    size = {pagination.size_param: pagination.size} if pagination.size_param and pagination.size else {}
    if pagination.type in ("page", "offset"):
        return {**size, pagination.param: pagination.first}
    return size


def _following(
    pagination: Pagination, page: Mapping[str, Any], reply: Reply, count: int, number: int
) -> tuple[dict[str, Any], str] | None:
    """Parameters and address of the next page; None after the last one."""
    if pagination.type in ("page", "offset"):
        if count < pagination.size:
            return None
        step = 1 if pagination.type == "page" else pagination.size
        return {**page, pagination.param: pagination.first + number * step}, ""
    if pagination.type == "link":
        link = _next_link(pagination, reply)
        return ({}, link) if link else None
    cursor = dig({"body": reply.body}, place(pagination.next_path), object, None)
    if cursor in _NO_CURSOR or text_of(cursor) == text_of(page.get(pagination.param)):
        return None
    return {**page, pagination.param: cursor if pagination.in_body else text_of(cursor)}, ""


def _with_members(body: Any, members: Values) -> Any:
    """The JSON body with a value at each dotted path; objects on the way are made where there are none."""
    found = dict(body) if isinstance(body, dict) else {}
    for path, value in members.items():
        key, _, rest = path.partition(".")
        found[key] = _with_members(found.get(key), {rest: value}) if rest else value
    return found


def _next_link(pagination: Pagination, reply: Reply) -> str:
    """The address the answer names, in its body or its Link header (RFC 8288); only one of the same origin counts."""
    if pagination.next_path:
        link = dig({"body": reply.body}, place(pagination.next_path), str, "")
    else:
        match = _NEXT_LINK.search(reply.headers.get("link", ""))
        link = match[1] if match else ""
    if not link:
        return ""
    try:
        absolute = urljoin(reply.url, link)
        here, there = urlsplit(reply.url), urlsplit(absolute)
    except ValueError:
        raise UnexpectedResponse(reason="the next page's address is malformed") from None
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):  # the login would go along
        raise UnexpectedResponse(reason="the next page is on another host")
    return absolute
