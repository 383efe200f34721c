"""One thread, as in a worker: sums are added in the same order everywhere, and tests side by side don't fight for cores."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
