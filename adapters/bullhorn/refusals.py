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
    reference_gone,
)
from adapters.contract.token_errors import token_error
from adapters.contract.url_template import ends_in_id

NOTE = "Note"
_REASON_LENGTH = 200
#: Field of a refused note -> what it refers to.
_REFERENCES = {"personReference": "contact", "commentingPerson": "owner", "action": "note action"}


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
    is_note = path.rstrip("/").endswith(f"/entity/{NOTE}") or f"/entity/{NOTE}/" in path
    if fields := _refused_fields(reply):
        # Older clusters answer 500 with the same list: a clear refusal all the same.
        if is_note and (what := next((_REFERENCES[name] for name in fields if name in _REFERENCES), "")):
            return reference_gone(what, "Bullhorn", reason=key, status=reply.status)
        message = f"Bullhorn refused the field: {', '.join(fields)[:_REASON_LENGTH]}."
        return RequestRejected(message, reason=key, status=reply.status)
    if reply.status in (400, 422) and _is_search(reply):
        # The message repeats the query, and the query holds the number or name.
        return RequestRejected("Bullhorn refused the search.", reason=key, status=reply.status)
    if reply.status in (404, 410) and ends_in_id(reply.url):
        return RecordNotFound("The record no longer exists in Bullhorn.", status=reply.status)
    if reply.status in (404, 410) and is_note:  # a PUT makes a record: something it refers to is not there
        return reference_gone("", "Bullhorn", reason=key, status=reply.status)
    if reply.status in (404, 410):
        return RequestRejected("Bullhorn does not know what this refers to.", reason=key, status=reply.status)
    return None


def _refused_fields(reply: Reply) -> list[str]:
    """The names of refused fields; the details beside them may repeat the value, a number or a name, and stay out."""
    errors = dig(reply.body, "errors", list, [])
    return list(dict.fromkeys(name for error in errors if (name := dig(error, "propertyName", str, ""))))


def _is_search(reply: Reply) -> bool:
    path = urlsplit(reply.url).path
    return "/search/" in path or "/query/" in path
