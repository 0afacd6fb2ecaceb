"""Trying again what may succeed: endpoints that are away, locks that are held. Tells each time what it waits for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from structlog.typing import FilteringBoundLogger
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_delay, stop_never
from tenacity import wait_random_exponential as wait_exponential

from indexer.errors import IndexerError, Transient, WrongFork

T = TypeVar("T")
MAX_WAIT_S = 30


async def patiently(
    act: Callable[[], Awaitable[T]], log: FilteringBoundLogger, *, give_up_after_s: float | None = None
) -> T:
    """Do it until it succeeds or cannot. A block that left the chain (WrongFork) is for the caller to know at once.

    Without `give_up_after_s` it never gives up on what is Transient; with it, the last error is raised.
    """
    async for attempt in AsyncRetrying(
        retry=retry_if_exception(_worth_another_try),
        wait=wait_exponential(multiplier=0.5, max=MAX_WAIT_S),
        stop=stop_after_delay(give_up_after_s) if give_up_after_s else stop_never,
        before_sleep=lambda state: _tell(state, log),
        reraise=True,
    ):
        with attempt:
            return await act()
    raise AssertionError("unreachable: the loop above returns or raises")


def _worth_another_try(error: BaseException) -> bool:
    return isinstance(error, Transient) and not isinstance(error, WrongFork)


def _tell(state: RetryCallState, log: FilteringBoundLogger) -> None:
    error = state.outcome.exception() if state.outcome else None
    hint = error.next_step if isinstance(error, IndexerError) else ""
    log.warning("will try again", attempt=state.attempt_number, error=str(error), hint=hint or None)
