"""Which addresses belong to Insightly: an API key is sent nowhere else."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from adapters.contract import RequestRejected

_HOST = re.compile(r"([a-z0-9-]+\.)*insightly\.com", re.ASCII)


#: The name from before there were several pods: the same API, so the same users.
_POD_OF_OLD = {"api.insightly.com": "api.na1.insightly.com"}


def is_insightly(host: str) -> bool:
    """Whether the host is ``insightly.com`` or a name below it."""
    return bool(_HOST.fullmatch(host.lower()))


def api_origin(url: str) -> str:
    """Scheme and host of the API URL as users paste it, usually with ``/v3.1/`` at the end.

    Raises ``RequestRejected`` for anything but an https address of Insightly without port or user name.
    """
    try:
        parts = urlsplit(url.strip())
        host, extra = parts.hostname or "", parts.port not in (None, 443) or parts.username is not None
    except ValueError:
        host, extra, parts = "", True, urlsplit("")
    if parts.scheme != "https" or extra or not is_insightly(host):
        raise RequestRejected("The API URL must be the https address shown in your Insightly user settings.")
    return f"https://{_POD_OF_OLD.get(host, host)}"


def page_host(hostname: str) -> str:
    """The host of the web pages as the client sent it, for links only; empty when it is not Insightly's."""
    return hostname.lower() if is_insightly(hostname) else ""


def pages_of(api_host: str) -> str:
    """The host of the web pages of a pod, ``crm.na1...`` for ``api.na1...``; empty for no API host."""
    return re.sub(r"^api\.", "crm.", api_host)
