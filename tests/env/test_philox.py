"""Philox 4x32-10 against its authors' known answers, and the draws made of it."""

import numpy as np
import pytest

from env.engine import philox
from env.engine.compile import cpu

KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text: str) -> list[np.uint64]:
    return [np.uint64(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize("jit", [cpu, lambda function: function], ids=["compiled", "plain"])
@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_known_answers(jit, counter: str, key: str, answer: str) -> None:
    assert [int(word) for word in philox.build(jit).philox(*words(counter), *words(key))] == [int(word) for word in words(answer)]


def test_below_is_uniform() -> None:
    numbers = philox.build(cpu)
    drawn = [numbers.below(numbers.draw(0, 3, 0, 1, index)[0], 10) for index in range(20_000)]
    counts = np.bincount(drawn, minlength=10)
    assert len(counts) == 10
    assert ((counts - 2000) ** 2 / 2000).sum() < 30
