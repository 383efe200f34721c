"""One thread, as in a worker: sums are added in the same order everywhere, and tests side by side don't fight for cores.

A folder's `conftest.py` imports the fixture for all of its tests.
"""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
