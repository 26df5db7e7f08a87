import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from brainlm.compute.threads import map_alone


def _blas_threads():
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]


def test_results_come_in_order_and_threads_come_back():
    before = _blas_threads()
    matrices = [np.diag(np.arange(k, k + 3.0)) for k in range(20)]
    found = map_alone(np.linalg.eigvalsh, matrices)
    np.testing.assert_allclose(found, [np.arange(k, k + 3.0) for k in range(20)])
    assert _blas_threads() == before


def test_a_failure_gives_the_threads_back_too():
    before = _blas_threads()
    with pytest.raises(ZeroDivisionError):
        map_alone(lambda item: 1 / item, [1, 0])
    assert _blas_threads() == before


def test_callers_that_overlap_do_not_keep_the_limit():
    before, entered, leave = _blas_threads(), threading.Event(), threading.Event()

    def wait(_):
        entered.set()
        leave.wait(10)
        return max(_blas_threads())

    seen = []
    other = threading.Thread(target=lambda: seen.extend(map_alone(wait, [0])))
    other.start()
    entered.wait(10)
    map_alone(abs, [1])  # comes and goes while the other is inside
    leave.set()
    other.join(10)
    assert seen == [1]
    assert _blas_threads() == before
