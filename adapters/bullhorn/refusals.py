"""What Bullhorn's refusals mean.

Source: Bullhorn REST API documentation, "Error handling", and the error keys its answers carry.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from adapters.bullhorn.sign_in import Redirected
from adapters.contract import (
    AccessDenied,
    ConnectorError,
    CredentialsRejected,
    RecordNotFound,
    Reply,
    RequestRejected,
    dig,
)

_REASON_LENGTH = 200


def explain(reply: Reply) -> ConnectorError | None:
    """The error for answers where the status alone misleads; None: the standard table applies."""
    if reply.status < 300:
        return None
    key = dig(reply.body, "errorMessageKey", str, "")
    if reply.status in (302, 307):
        return Redirected(reply.headers.get("location", ""), status=reply.status)
    if reply.status == 412:  # no session token was sent
        return CredentialsRejected(status=reply.status)
    if reply.status == 400 and key == "errors.authentication.invalidOAuthToken":
        return CredentialsRejected(status=reply.status)  # a login with an access token older than ten minutes
    if reply.status in (400, 401) and dig(reply.body, "error", str, "") == "invalid_grant":
        return CredentialsRejected(final=True, status=reply.status)  # code or refresh token spent or revoked
    if dig(reply.body, "error", str, "") in ("invalid_client", "unauthorized_client"):
        return RequestRejected(  # 401, but nothing that a new login of the user could mend
            "Bullhorn does not accept this server's client id and secret. Tell your administrator.",
            status=reply.status,
        )
    if reply.status == 403:
        return AccessDenied(
            "Your Bullhorn account does not have the permission that this needs. Ask your Bullhorn administrator.",
            reason=key,
            status=reply.status,
        )
    if fields := _refused_fields(reply):
        # Older clusters answer 500 with the same list: a clear refusal all the same.
        return RequestRejected(f"Bullhorn refused the field: {fields}.", reason=key, status=reply.status)
    if 400 <= reply.status < 500 and _is_search(reply) and reply.status not in (401, 404, 410, 429):
        # The message repeats the query, and the query holds the number or name.
        return RequestRejected("Bullhorn refused the search.", reason=key, status=reply.status)
    if reply.status in (404, 410):
        return RecordNotFound("The record no longer exists in Bullhorn.", status=reply.status)
    return None


def _refused_fields(reply: Reply) -> str:
    """The names of refused fields; the details beside them may repeat the value, a number or a name, and stay out."""
    errors = dig(reply.body, "errors", list, [])
    names = dict.fromkeys(name for error in errors if (name := dig(error, "propertyName", str, "")))
    return ", ".join(names)[:_REASON_LENGTH]


def _is_search(reply: Reply) -> bool:
    path = urlsplit(reply.url).path
    return "/search/" in path or "/query/" in path
