"""What the HTTP server prints, less one piece of advice; see ``server_log.json``."""

from __future__ import annotations

import logging


class WithoutThreadAdvice(logging.Filter):
    """Drops Granian's advice to have about as many threads as cores: ours wait for a CRM most of the time.

    It is printed for as few as eight threads on two cores, and says itself that it may be ignored.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        return "Python threads, which seems quite high" not in record.getMessage()
