"""What fails before the request that matters: a token, a region, a session, a look at the record."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.contract.errors import ConnectorError, CrmUnavailable, ErrorKind

#: Whatever was asked, these mean the same for the change that waits for it.
_KEPT = frozenset(
    {
        ErrorKind.LIMIT,
        ErrorKind.DOWN,
        ErrorKind.LOGIN_OVER,
        ErrorKind.MISCONFIGURED,
        ErrorKind.UNSUPPORTED,
        ErrorKind.OWN_FAULT,
    }
)


@contextmanager
def precondition(*, reads_the_record: bool = False) -> Iterator[None]:
    """For requests that a change needs but that are not the change: nothing is written, and nothing is its verdict.

    A refusal, a page for people, a surprise come out as ``CrmUnavailable`` with their message and reason, so that the
    change is kept. A limit, a login that is over and a server set up wrongly are raised as they are; so is
    ``RecordNotFound`` where the block ``reads_the_record`` that the change is about.
    """
    try:
        yield
    except ConnectorError as error:
        error.maybe_applied = False
        if error.kind in _KEPT or (reads_the_record and error.kind is ErrorKind.GONE):
            raise
        raise CrmUnavailable(error.message, reason=error.reason, status=error.status, advice=error.advice) from error
