"""Windows of three pictures, half of them before a reward, never across an episode's start."""

import torch

from auxiliary.loss import HeadContext
from auxiliary.reward_prediction import NEGATIVE, POSITIVE, WINDOWS, ZERO, RewardPredictionLoss, WindowMemory
from tests.agents.worlds import counting_task

T, N = 20, 3


def chunk(first: int, rewarded: dict[tuple[int, int], float], starts: list[tuple[int, int]]):
    """Pictures that show (row, time of the whole run) in their first two channels."""
    images = torch.zeros(T, N, 2, 2, 3, dtype=torch.uint8)
    images[..., 0] = torch.arange(N).view(1, N, 1, 1)
    images[..., 1] = (first + torch.arange(T)).view(T, 1, 1, 1)
    reward, begin = torch.zeros(T, N), torch.zeros(T, N, dtype=torch.bool)
    for place, value in rewarded.items():
        reward[place] = value
    for place in starts:
        begin[place] = True
    return images, reward, begin


def test_windows_are_three_pictures_of_one_episode_and_the_reward_after_them():
    memory = WindowMemory()
    memory.add(*chunk(0, {(5, 0): 10.0, (9, 1): -1.0, (13, 1): 1.0, (7, 2): 1.0}, [(6, 2), (12, 1)]))
    generator = torch.Generator().manual_seed(0)
    seen = set()
    for _ in range(40):
        drawn = memory.draw(torch.rand(WINDOWS, generator=generator))
        assert drawn is not None
        images, classes = drawn
        assert images.shape == (3 * len(classes), 2, 2, 3)
        for window, kind in zip(images.view(-1, 3, 2, 2, 3), classes.tolist(), strict=True):
            row = int(window[0, 0, 0, 0])
            times = window[:, 0, 0, 1].tolist()
            assert window[:, 0, 0, 0].tolist() == [row] * 3
            assert times == [times[0], times[0] + 1, times[0] + 2]
            expected = {(0, 5): POSITIVE, (1, 9): NEGATIVE, (1, 13): POSITIVE, (2, 7): POSITIVE}
            assert kind == expected.get((row, times[2]), ZERO)
            seen.add((row, times[2]))
        assert (classes != ZERO).sum() * 2 == len(classes)
    # The starts at (6, 2) and (12, 1) leave no window that ends at the start or one step later.
    assert not seen & {(2, 6), (2, 7), (1, 12), (1, 13)}
    assert {(0, 5), (1, 9)} <= seen


def test_it_draws_what_there_is():
    memory, uniforms = WindowMemory(), torch.rand(WINDOWS, generator=torch.Generator().manual_seed(0))
    assert memory.draw(uniforms) is None
    memory.add(*chunk(0, {}, []))
    drawn = memory.draw(uniforms)
    assert drawn is not None
    assert (drawn[1] == ZERO).all()


def test_it_keeps_two_thousand_steps_and_no_more():
    memory = WindowMemory()
    for index in range(60):
        memory.add(*chunk(index, {}, []))
    kept = sorted(memory.images[:, 0, 0, 0, 0, 1].tolist())
    assert len(kept) == -(-2000 // (T * N))
    assert kept == list(range(60 - len(kept), 60))


def test_the_head_reads_three_pictures():
    torch.manual_seed(0)
    head = RewardPredictionLoss(HeadContext(counting_task().spec(), 16, 16))
    assert head(torch.randn(12, 16)).shape == (4, 3)
    loss, sums = head.loss(torch.randn(12, 16), torch.tensor([0, 1, 2, 1]))
    assert loss.shape == ()
    assert float(sums["windows"]) == 4
