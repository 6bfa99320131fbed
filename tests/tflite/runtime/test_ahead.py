import threading

import pytest

from tflite.runtime.ahead import work_ahead
from tflite.runtime.errors import LabError

pytestmark = pytest.mark.device


@pytest.mark.parametrize("threads", [0, 1, 4])
@pytest.mark.parametrize("ahead", [1, 3, 50])
def test_results_come_in_order_whoever_finishes_first(threads, ahead):
    late = threading.Event()

    def square(n):
        if n == 0 and threads > 1 and ahead > 1:
            assert late.wait(10)  # the first waits for the second
        elif n == 1:
            late.set()
        return n * n

    assert list(work_ahead(square, range(20), threads, ahead)) == [n * n for n in range(20)]


@pytest.mark.parametrize("ahead", [1, 4])
def test_no_more_than_allowed_are_begun_ahead(ahead):
    begun = []
    results = work_ahead(lambda n: begun.append(n), range(100), 2, ahead)
    for used in range(1, 6):
        next(results)
        # What is out, what may wait, and never more.
        assert len(begun) <= used - 1 + ahead
    results.close()


def test_items_are_read_only_as_needed():
    read = []

    def items():
        for n in range(100):
            read.append(n)
            yield n

    results = work_ahead(str, items(), 1, 5)
    assert next(results) == "0"
    results.close()
    assert len(read) == 5


@pytest.mark.parametrize("threads", [0, 2])
def test_an_exception_comes_where_its_result_would(threads):
    results = work_ahead(lambda n: 1 // n, [1, 0, 1], threads, 3)
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_waits_is_cancelled_when_the_caller_stops():
    gate, begun = threading.Event(), []

    def wait(n):
        begun.append(n)
        if n:
            gate.wait(10)
        return n

    results = work_ahead(wait, range(50), 1, 40)
    assert next(results) == 0
    gate.set()
    results.close()
    assert len(begun) < 50
    assert not any(t.name.startswith("decode") for t in threading.enumerate())


@pytest.mark.parametrize(("threads", "ahead"), [(-1, 1), (1, 0)])
def test_bad_numbers_are_refused(threads, ahead):
    with pytest.raises(LabError, match="at least 0 threads and 1 item"):
        work_ahead(str, [], threads, ahead)
