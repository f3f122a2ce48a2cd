"""Reads bodies without a thread, and not for ever."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

#: Bytes that are read before a thread looks at the request: what a stranger may send, see ``api.limits``.
READ_AHEAD = 64 * 1024
#: Seconds for these, and for each of the reads of a longer body.
SECONDS = 10.0


class Overdue(Exception):
    """The body did not arrive in time."""


async def read_body(protocol: Any, headers: Any) -> io.BufferedIOBase:
    """The body as a file. One that is longer than ``READ_AHEAD`` is read on from there as somebody reads the file.

    Raises ``Overdue``.
    """
    length = headers.get("content-length")
    if length is None and "transfer-encoding" not in headers:
        return io.BytesIO()
    chunks: AsyncIterator[bytes] = protocol.__aiter__()
    head = b""
    if length is None or not length.isdigit() or int(length) <= READ_AHEAD:
        try:
            async with asyncio.timeout(SECONDS):
                while len(head) <= READ_AHEAD:
                    if not (chunk := await _next(chunks)):
                        return io.BytesIO(head)
                    head += chunk
        except TimeoutError:
            raise Overdue from None
    return io.BufferedReader(_LongBody(head, chunks))


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    """The next part of the body; empty at its end."""
    try:
        return await chunks.__anext__()
    except StopAsyncIteration:
        return b""


class _LongBody(io.RawIOBase):
    """What has been read, and the rest as it arrives; for another thread than the event loop's."""

    def __init__(self, head: bytes, chunks: AsyncIterator[bytes]) -> None:
        self._head = head
        self._chunks = chunks
        self._loop = asyncio.get_running_loop()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises ``OSError`` where nothing arrives in time."""
        if not self._head:
            self._head = asyncio.run_coroutine_threadsafe(self._wait(), self._loop).result()
        part = self._head[: len(buffer)]
        self._head = self._head[len(part) :]
        buffer[: len(part)] = part
        return len(part)

    async def _wait(self) -> bytes:
        try:
            async with asyncio.timeout(SECONDS):
                return await _next(self._chunks)
        except TimeoutError:
            raise OSError("the request did not arrive in time") from None
