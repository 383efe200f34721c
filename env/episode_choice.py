"""Which episode each row of a batch plays: by seed, by maze, or the next one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from env.batch import BatchEnv, Episodes
from maze_gen.errors import InputError

Seeds = int | Sequence[int | None] | None


class EpisodeChoice:
    """Starts episodes of a batch's rows, and remembers which they are.

    Row i of a seed s plays the episodes (s, stream i, 0), (s, stream i, 1), ... A list of seeds gives each row an own one: row i
    then plays (seeds[i], stream 0, 0), ..., as a single world with that seed does.
    """

    def __init__(self, batch: BatchEnv) -> None:
        self._batch = batch
        self._rows = np.arange(batch.num_envs)
        self._seeds, self._streams, self._numbers = (np.zeros(batch.num_envs, np.int64) for _ in range(3))
        self.started = False

    def start(
        self, rows: npt.NDArray[np.bool_], seeds: Seeds, mazes: npt.NDArray[np.int64] | None, draw_seed: Callable[[], int]
    ) -> None:
        """Starts an episode in some rows; the others stay as they are.

        Args:
            rows: [N] bool.
            seeds: one for all of the rows, or N, None for the next episode of a row; None for the next episode of all.
            mazes: [N], the maze that the episode is to be played in, -1 for any: the first episode that draws it, from the one on
                that would be played otherwise.
            draw_seed: makes the seed of worlds that never had one.

        Raises:
            InputError: a wrong seed or maze, or worlds that can't choose; only some rows where nothing was started yet.
        """
        if not self.started and not rows.all():
            raise InputError("reset_mask before the first reset: reset all of the worlds first")
        wanted = self._wanted(rows, seeds, draw_seed)
        if mazes is not None:
            self._choose_mazes(wanted, mazes)
        batch = self._batch
        fresh = bool(
            (wanted.numbers == 0).all() and (wanted.streams == self._rows).all() and (wanted.seeds == wanted.seeds[0]).all()
        )
        goes_on = self.started and all(
            np.array_equal(new[rows], old[rows])
            for new, old in (
                (wanted.seeds, self._seeds),
                (wanted.streams, self._streams),
                (wanted.numbers, self._numbers + 1),
            )
        )
        if rows.all() and fresh:
            batch.reset(int(wanted.seeds[0]))
        elif goes_on:
            batch.reset_rows(rows)
        else:
            if not self.started:
                batch.reset(int(wanted.seeds[0]))
            batch.seek(wanted)
            batch.reset_rows(rows)
        self.started = True
        for kept, new in ((self._seeds, wanted.seeds), (self._streams, wanted.streams), (self._numbers, wanted.numbers)):
            kept[rows] = new[rows]

    def go_on(self, rows: npt.NDArray[np.bool_]) -> None:
        """Starts the next episodes of some rows."""
        self._batch.reset_rows(rows)
        self._numbers[rows] += 1

    def _wanted(self, rows: npt.NDArray[np.bool_], seeds: Seeds, draw_seed: Callable[[], int]) -> Episodes:
        wanted = Episodes(rows, self._seeds.copy(), self._streams.copy(), self._numbers + 1)
        if not self.started:
            wanted.seeds[:], wanted.streams[:], wanted.numbers[:] = draw_seed() if seeds is None else 0, self._rows, 0
        if isinstance(seeds, Sequence | np.ndarray):
            if len(seeds) != len(self._rows):
                raise InputError(f"seed has {len(seeds)} entries: expected {len(self._rows)}, one a world")
            drawn = None
            for row in np.flatnonzero(rows).tolist():
                if seeds[row] is not None:
                    wanted.seeds[row], wanted.streams[row], wanted.numbers[row] = checked_seed(seeds[row]), 0, 0
                elif not self.started:
                    drawn = draw_seed() if drawn is None else drawn
                    wanted.seeds[row] = drawn
        elif seeds is not None:
            wanted.seeds[rows], wanted.streams[rows], wanted.numbers[rows] = checked_seed(seeds), self._rows[rows], 0
        return wanted

    def _choose_mazes(self, wanted: Episodes, mazes: npt.NDArray[np.int64]) -> None:
        # Imported where it is used: it brings the engine's compiler.
        from env.engine.episode_mazes import next_episode_in

        count = len(self._batch.task.mazes)
        for row in np.flatnonzero(wanted.rows & (mazes >= 0)).tolist():
            wanted.numbers[row] = next_episode_in(
                int(mazes[row]), int(wanted.seeds[row]), int(wanted.streams[row]), int(wanted.numbers[row]), count
            )


def checked_seed(seed: Any) -> int:
    """The seed of a `reset`.

    Raises:
        InputError: no whole number in [0, 2**63).
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**63:
        raise InputError(f"seed {seed!r}: expected a whole number in [0, 2**63)")
    return int(seed)


def checked_mazes(mazes: Any, batch: BatchEnv) -> npt.NDArray[np.int64]:
    """The entry `maze` of a `reset`'s options, [N] int64: one number for all worlds, or one a world, -1 for any.

    Raises:
        InputError: no such numbers.
    """
    count = len(batch.task.mazes)
    chosen = np.asarray(mazes)
    if chosen.dtype.kind not in "iu" or chosen.shape not in ((), (batch.num_envs,)):
        raise InputError(f"options['maze'] = {mazes!r}: expected a whole number, or {batch.num_envs} of them, one a world")
    wrong = [maze for maze in np.atleast_1d(chosen).tolist() if not -1 <= maze < count]
    if wrong:
        raise InputError(
            f"options['maze'] = {wrong[0]}: expected a maze from 0 to {count - 1} of task {batch.task.name!r}, or -1"
        )
    return np.broadcast_to(chosen, (batch.num_envs,)).astype(np.int64)
