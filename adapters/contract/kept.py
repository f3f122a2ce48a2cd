"""Whether a kept connection is still fit for a request. Called in the event loop only."""

from __future__ import annotations

import select
import socket

Local = tuple[str, int]

#: Those remembered: more than are kept, so that only connections that are gone are forgotten.
_MOST = 4096
#: The descriptor of each connection, by its own address and port: libcurl tells the descriptor at no later time.
_descriptors: dict[Local, int] = {}


def remember(local: Local, opened: list[int]) -> None:
    """The connection from ``local`` is new, and has one of the descriptors ``opened``."""
    _descriptors.pop(local, None)
    for descriptor in opened:
        if _port_of(descriptor) == local[1]:
            _descriptors[local] = descriptor
    if len(_descriptors) > _MOST:
        del _descriptors[next(iter(_descriptors))]


def has_spoken(local: Local) -> bool:
    """Whether the connection has ended, or holds something that nobody has asked for. False where it is not known."""
    descriptor = _descriptors.get(local)
    if descriptor is None:
        return False
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _port_of(descriptor: int) -> int:
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:  # closed again: another of the host's addresses answered first
        return 0
    try:
        return int(borrowed.getsockname()[1])
    finally:
        borrowed.detach()
