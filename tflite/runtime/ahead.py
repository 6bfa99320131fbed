"""Does the next items' work in threads while the present one is used."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable, Deque, Iterable, Iterator, TypeVar

from tflite.runtime.errors import LabError

Item = TypeVar("Item")
Done = TypeVar("Done")


def work_ahead(
    function: Callable[[Item], Done], items: Iterable[Item], threads: int, ahead: int
) -> Iterator[Done]:
    """Gives ``function(item)`` for every item, in their order, at most `ahead` of them waiting.

    Args:
        function: Called in the threads. An exception comes out where its result would have.
        items: Read as they are needed, in the caller's thread.
        threads: Number of threads, at least 1; 0 calls the function when its result is asked for.
        ahead: How many results may be under way or wait, at least 1; bounds the memory.

    Raises:
        LabError: If `threads` is below 0 or `ahead` below 1.
    """
    if threads < 0 or ahead < 1:
        raise LabError(
            f"Work ahead needs at least 0 threads and 1 item ahead, got {threads} and {ahead}."
        )
    return _inline(function, items) if threads == 0 else _threaded(function, items, threads, ahead)


def _inline(function: Callable[[Item], Done], items: Iterable[Item]) -> Iterator[Done]:
    for item in items:
        yield function(item)


def _threaded(
    function: Callable[[Item], Done], items: Iterable[Item], threads: int, ahead: int
) -> Iterator[Done]:
    waiting: Deque[Future[Done]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # A stopped run waits for the images being decoded, not for those in the queue.
            for future in waiting:
                future.cancel()
