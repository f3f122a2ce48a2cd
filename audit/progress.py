"""How long work shows how far it is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from typing import Any

_WIDTH = 30  # characters
_LINE_EVERY = 10.0  # seconds; only where no terminal shows the bar
_REDRAWN_EVERY = 0.1  # seconds


class Progress:
    """To be called with what is done and what there is in all; writes to a command's ``stderr``."""

    def __init__(self, stream: Any, what: str) -> None:
        self._stream, self._what = stream, what
        self._is_terminal = stream.isatty()
        self._shown = time.monotonic() - (_REDRAWN_EVERY if self._is_terminal else 0)

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        is_over = done >= total
        if self._is_terminal:
            if now - self._shown < _REDRAWN_EVERY and not is_over:
                return
            share = done / total if total else 1.0
            bar = "#" * round(share * _WIDTH)
            text = f"\r{self._what} [{bar:<{_WIDTH}}] {share:4.0%} {done}/{total}"
            self._stream.write(text, ending="\n" if is_over else "")
        elif now - self._shown >= _LINE_EVERY:
            self._stream.write(f"{self._what}: {done} of {total}")
        else:
            return
        self._stream.flush()
        self._shown = now
