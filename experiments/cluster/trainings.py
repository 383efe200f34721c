"""Trainings of a grid on the nodes of a cluster: as many at once as it holds, their files here, lost ones resumed elsewhere."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from agents.cluster.link import Link, LinkLostError, apart, connecting
from agents.cluster.settings import ClusterSettings
from agents.runtime.errors import WorkerError
from experiments.cluster.training_actor import Files, Progress, TrainingRequest, write
from experiments.options import write_json
from maze_gen.errors import InputError

MOST_LOSSES = 5
"""A training that is lost so many times in a row, without having answered in between, isn't tried again."""


class ClusterTrainings:
    """Trains on a cluster, while it is entered.

    Args:
        address: as `ClusterSettings` has it.
        processors: of a local cluster.
        at_once: trainings at the same time at most; None for as many as the cluster holds.

    Raises:
        InputError: as `agents.cluster.link.Link`.
    """

    def __init__(self, address: str, processors: int, at_once: int | None) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="knossos-grid-"))
        settings = ClusterSettings(address, log=self._folder / "ray.log", processors=processors)
        try:
            self._link = Link(settings, do_trainings)
        except InputError as error:
            if str(self._folder) not in str(error):
                shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._at_once = at_once
        self._lost = False

    def __enter__(self) -> "ClusterTrainings":
        return self

    def __exit__(self, *_: Any) -> None:
        with contextlib.suppress(OSError):
            self._link.send(None)
        self._link.close()
        if not self._lost:
            shutil.rmtree(self._folder, ignore_errors=True)

    def run(
        self, wanted: list[tuple[TrainingRequest, Path]], stopping: Callable[[], bool], say: Callable[[str], None]
    ) -> Iterator[int]:
        """Does all trainings, each in its folder; yields the index of each that is done, its files all there.

        Where `stopping` returns True, they save, their files come, and nothing more is yielded.

        Raises:
            InputError: a training ended with an error that is the user's to change, or the cluster was lost.
            WorkerError: a training's workers died again and again, or it was lost `MOST_LOSSES` times.
        """
        waiting = list(range(len(wanted)))
        running: set[int] = set()
        losses = dict.fromkeys(waiting, 0)
        try:
            while waiting or running:
                while waiting and (self._at_once is None or len(running) < self._at_once):
                    number = waiting.pop(0)
                    request, folder = wanted[number]
                    self._link.send((number, request, files_of(folder)))
                    running.add(number)
                for found in self._link.receive(0.5):
                    request, folder = wanted[found.number]
                    if found.progress is None:
                        losses[found.number] += 1
                        if losses[found.number] >= MOST_LOSSES:
                            raise WorkerError(f"{request.run}: {found.why}; {MOST_LOSSES} times in a row")
                        say(f"{request.run}: its node was lost ({found.why}); it goes on elsewhere")
                        running.discard(found.number)
                        waiting.append(found.number)
                    else:
                        losses[found.number] = 0
                        if self._keep(found.progress, request, folder):
                            running.discard(found.number)
                            yield found.number
                if stopping():
                    self._stop(wanted, running)
                    return
        except (LinkLostError, OSError) as error:
            self._lost = True
            raise InputError(f"--cluster {self._link.settings.address}: {error}; the same command goes on") from error

    def _keep(self, progress: Progress, request: TrainingRequest, folder: Path) -> bool:
        """Writes what came; returns whether the training is done."""
        keep_files(progress.files, folder)
        if not progress.ended:
            return progress.ended == 0
        if progress.ended == 2:
            last = progress.said.strip().splitlines()[-1:] or ["it ended with exit code 2"]
            raise InputError(f"{request.run}: {last[0].removeprefix('error: ')}")
        raise WorkerError(f"{request.run} ended with exit code {progress.ended} on its node\n{progress.said}")

    def _stop(self, wanted: list[tuple[TrainingRequest, Path]], running: set[int]) -> None:
        self._link.send("stop")
        with contextlib.suppress(LinkLostError):
            while running:
                for found in self._link.receive(60.0) or [None]:
                    if found is None:
                        return
                    if found.progress is not None:
                        keep_files(found.progress.files, wanted[found.number][1])
                    if found.progress is None or found.progress.ended is not None:
                        running.discard(found.number)


def keep_files(files: Files, folder: Path) -> None:
    """Writes what a training wrote on its node into the run's folder here, each file whole or not at all.

    Raises:
        InputError: a file can't be written.
    """
    from agents.checkpoint import CHECKPOINT

    for name, content in files.items():
        if name == "summary.json":
            # It names the checkpoint by its path, which is another one here.
            summary = json.loads(content) | {"checkpoint": str(folder / CHECKPOINT)}
            write_json(folder / name, summary)
        else:
            write(folder, name, content)


def files_of(folder: Path) -> Files:
    """Files of a run's folder from which a training goes on; none where it has no checkpoint yet."""
    from agents.checkpoint import CHECKPOINT

    if not (folder / CHECKPOINT).exists():
        return {}
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def do_trainings(settings: ClusterSettings, pipe: Connection, parent: int) -> None:
    """What the child does: takes (number, request, files), sends `Synced`; on "stop" lets all save; ends on None."""
    apart(settings.log, parent)

    def work() -> None:
        from experiments.cluster.ray_trainings import serve

        serve(pipe)

    connecting(settings, pipe, work)
