"""Tells whether a port can be listened on; free of Django, for use before any settings are read."""

from __future__ import annotations

import errno
import socket


def problem_with_address(host: str, port: int) -> str:
    """Why nobody can listen there, as a sentence; empty where one can."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return f"{host}:{port} is in use."
            return f"Cannot listen on {host}:{port}: {error.strerror}."
    return ""


def reachable_host(host: str) -> str:
    """Where a server that listens on ``host`` is asked from this machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104  # nosec B104
