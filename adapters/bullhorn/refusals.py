"""What Bullhorn's refusals mean.

Source: Bullhorn REST API documentation, "Error handling", and the error keys its answers carry.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from adapters.bullhorn.sign_in import TOKEN_PATH, Redirected
from adapters.contract import (
    AccessDenied,
    ConnectorError,
    CredentialsRejected,
    RecordNotFound,
    Reply,
    RequestRejected,
    dig,
)
from adapters.contract.token_errors import token_error
from adapters.contract.url_template import ends_in_id

_REASON_LENGTH = 200


def explain(reply: Reply) -> ConnectorError | None:
    """The error for answers where the status alone misleads; None: the standard table applies."""
    path = urlsplit(reply.url).path
    if path.endswith(TOKEN_PATH) and reply.status not in (302, 307):
        return token_error(reply)
    if reply.status < 300:
        return None
    key = dig(reply.body, "errorMessageKey", str, "")
    if reply.status in (302, 307):
        return Redirected(reply.headers.get("location", ""), status=reply.status)
    if reply.status == 412:  # no session token was sent
        return CredentialsRejected(status=reply.status)
    if reply.status == 400 and key == "errors.authentication.invalidOAuthToken":
        return CredentialsRejected(status=reply.status)  # a login with an access token older than ten minutes
    if reply.status == 403:
        return AccessDenied(
            "Your Bullhorn account does not have the permission that this needs. Ask your Bullhorn administrator.",
            reason=key,
            status=reply.status,
        )
    if fields := _refused_fields(reply):
        # Older clusters answer 500 with the same list: a clear refusal all the same.
        return RequestRejected(f"Bullhorn refused the field: {fields}.", reason=key, status=reply.status)
    if reply.status in (400, 422) and _is_search(reply):
        # The message repeats the query, and the query holds the number or name.
        return RequestRejected("Bullhorn refused the search.", reason=key, status=reply.status)
    if reply.status in (404, 410) and ends_in_id(reply.url):
        return RecordNotFound("The record no longer exists in Bullhorn.", status=reply.status)
    if reply.status in (404, 410):  # a PUT makes a record: something it refers to is not there
        return RequestRejected("Bullhorn does not know what this refers to.", reason=key, status=reply.status)
    return None


def _refused_fields(reply: Reply) -> str:
    """The names of refused fields; the details beside them may repeat the value, a number or a name, and stay out."""
    errors = dig(reply.body, "errors", list, [])
    names = dict.fromkeys(name for error in errors if (name := dig(error, "propertyName", str, "")))
    return ", ".join(names)[:_REASON_LENGTH]


def _is_search(reply: Reply) -> bool:
    path = urlsplit(reply.url).path
    return "/search/" in path or "/query/" in path
