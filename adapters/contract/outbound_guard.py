"""Where outgoing requests may go: host names by pattern, and the address a socket really connects to."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache

_DEFAULT_PORTS = {"https": 443, "http": 80}
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<rest>[/?#].*)?", re.IGNORECASE | re.DOTALL)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)
#: The last label decides whether resolvers read a host as a number: ``2130706433``, ``0x7f.1``, ``127.1``.
_NUMERIC_LABEL = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
#: Networks inside 2000::/3 whose addresses carry an IPv4 address: 6to4 and Teredo.
_TUNNELS = (ipaddress.ip_network("2002::/16"), ipaddress.ip_network("2001::/32"))

#: What Python's ``is_global`` does not know: IETF protocol assignments, a cloud's metadata service among them; relays
#: to 6to4; the address where Azure serves its machines' configuration (Microsoft, "What is IP address 168.63.129.16?").
_NOT_PUBLIC_IPV4 = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))


class AddressRefused(Exception):
    """The host's name leads to an address that is not on the public internet."""


def refusal(url: str, hosts: Sequence[str], *, allow_plain_http: bool = False) -> str:
    """Why a request to this URL is not allowed; empty when it is.

    ``hosts``: exact names, or ``*.example.com`` for any depth below; either may name a port (``localhost:8001``),
    otherwise only the scheme's own port is allowed. A numeric address must be listed literally.
    """
    match = _URL.fullmatch(url)
    if not match or _UNSAFE.search(url):
        return "the address is malformed"
    scheme = match["scheme"].lower()
    authority = match["authority"].lower()
    if scheme != "https" and not allow_plain_http:
        return "the address is not https"
    if "@" in authority:
        return "the address contains a user name"
    path = (match["rest"] or "").split("?")[0].split("#")[0]
    if ".." in path.lower().replace("%2e", ".").split("/"):
        return "the path leads upwards"
    host, _, port = authority.rpartition(":") if re.search(r":[0-9]{1,5}$", authority) else (authority, "", "")
    if port and int(port) == _DEFAULT_PORTS[scheme]:
        port = ""
    if not any(_matches(host, port, pattern.lower(), scheme) for pattern in hosts):
        return "the host is not one of this CRM"
    return ""


def _matches(host: str, port: str, pattern: str, scheme: str) -> bool:
    if pattern.endswith(f":{_DEFAULT_PORTS[scheme]}") and not pattern.endswith("]"):
        pattern = pattern.rpartition(":")[0]
    if (f"{host}:{port}" if port else host) == pattern:
        return bool(host)
    if not pattern.startswith("*.") or not _NAME.fullmatch(host):
        return False
    suffix, _, pattern_port = pattern[1:].partition(":")
    labels = host.split(".")
    is_plain_name = (
        all(labels)
        and not _NUMERIC_LABEL.fullmatch(labels[-1])
        and not any(label.startswith("xn--") for label in labels)
    )
    return port == pattern_port and is_plain_name and host.endswith(suffix) and len(suffix) > 1


@lru_cache(1024)
def is_public(address: str) -> bool:
    """Whether an IP address is an ordinary one of the public internet."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if ip.is_multicast or not ip.is_global:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_IPV4)
    # outside 2000::/3 lie IPv4-mapped and -compatible addresses, NAT64 and all that is unassigned
    return ip in _GLOBAL_IPV6 and not any(ip in network for network in _TUNNELS)
