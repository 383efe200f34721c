"""A few hundred of the fuzzer's inputs: `python -m tests.fuzz --count 10000` runs more, in processes that may crash."""

import pytest

from tests.fuzz.runner import outcome
from tests.threads import one_thread

__all__ = ["one_thread"]

NUMBERS = {"mazes": 80, "recordings": 40, "environments": 80, "checkpoints": 6, "options": 25}


@pytest.mark.filterwarnings("ignore::maze_gen.errors.Note")
@pytest.mark.parametrize("kind", NUMBERS)
def test_every_input_ends_in_success_or_one_line(kind, capfd):
    found = {number: outcome(kind, number) for number in range(NUMBERS[kind])}
    odd = {number: text for number, text in found.items() if text not in ("accepted", "refused")}
    assert not odd, "\n".join(f"{kind} {number}: {text}" for number, text in odd.items())
    # The inputs are neither all wrong nor all right, so that both ways out are seen.
    assert set(found.values()) == {"accepted", "refused"}
