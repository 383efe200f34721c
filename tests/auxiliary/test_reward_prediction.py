"""The replay buffer of windows of three pictures; which windows it samples, `test_losses` compares with their definition."""

import torch

from auxiliary.reward_prediction import WINDOWS, ZERO, WindowMemory

T, N = 20, 3


def rollout(first: int):
    """Pictures that show (row, time of the whole run) in their first two channels."""
    images = torch.zeros(T, N, 2, 2, 3, dtype=torch.uint8)
    images[..., 0] = torch.arange(N).view(1, N, 1, 1)
    images[..., 1] = (first + torch.arange(T)).view(T, 1, 1, 1)
    return images, torch.zeros(T, N), torch.zeros(T, N, dtype=torch.bool)


def test_it_draws_what_there_is():
    memory, uniforms = WindowMemory(), torch.rand(WINDOWS, generator=torch.Generator().manual_seed(0))
    assert memory.draw(uniforms) is None
    memory.add(*rollout(0))
    drawn = memory.draw(uniforms)
    assert drawn is not None
    assert (drawn[1] == ZERO).all()


def test_it_keeps_two_thousand_steps_and_no_more():
    memory = WindowMemory()
    for index in range(60):
        memory.add(*rollout(index))
    kept = sorted(memory.images[:, 0, 0, 0, 0, 1].tolist())
    assert len(kept) == -(-2000 // (T * N))
    assert kept == list(range(60 - len(kept), 60))
