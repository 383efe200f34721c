"""Event files are TensorBoard's, and a full disk costs what came meanwhile and nothing else."""

import resource
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from experiments.event_file import EventFile, append_whole
from experiments.summaries import scalar

ROOT = Path(__file__).parents[2]


def points(folder: Path) -> list[tuple[int, float]]:
    found = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return [(event.step, float(make_ndarray(event.tensor_proto))) for event in found.Tensors("a")]


def test_tensorboard_reads_it(tmp_path: Path) -> None:
    for first in (0, 2):
        # The second file hides the first one's points from step 2 on.
        file = EventFile(tmp_path / "run", purge_step=first)
        for step in range(first, first + 4):
            file.add(scalar("a", step + first, "a", "b"), step)
        file.close()
    assert points(tmp_path / "run") == [(0, 0), (1, 1), (2, 4), (3, 5), (4, 6), (5, 7)]


def test_a_folder_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    file = EventFile(tmp_path / "run")
    file.add(scalar("a", 1, "a", "b"), 1)
    for path in (tmp_path / "run").iterdir():
        path.unlink()
    (tmp_path / "run").rmdir()
    file.add(scalar("a", 2, "a", "b"), 2)
    file.close()
    file.close()
    assert points(tmp_path / "run") == [(2, 2)]


def test_what_does_not_fit_on_the_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """A limit of the file's size stands for the disk: the kernel writes what fits, as there."""
    code = f"""
import resource
from pathlib import Path
from experiments.event_file import EventFile
from experiments.summaries import scalar

file = EventFile(Path({str(tmp_path)!r}))
failed = 0
for step in range(100):
    try:
        file.add(scalar("a", step, "a", "b"), step)
    except OSError as error:
        failed += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)) if failed == 10 else None
print(failed)
"""
    limit = (2000, resource.RLIM_INFINITY)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert (done.stdout, done.stderr) == ("10\n", "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = points(tmp_path)
    assert len(found) == 90
    missing = sorted(set(range(100)) - {step for step, _ in found})
    assert missing == list(range(missing[0], missing[0] + 10))


def test_half_a_line_is_taken_back(tmp_path: Path) -> None:
    class Full:
        """Takes three bytes, as a disk on which there is room for three."""

        name = "full"

        def __init__(self) -> None:
            self.content = b"old"

        def seek(self, offset: int, whence: int) -> int:
            return len(self.content)

        def write(self, content: bytes) -> int:
            self.content += content[:3]
            return 3

        def truncate(self, size: int) -> None:
            self.content = self.content[:size]

    file = Full()
    with pytest.raises(OSError, match="No space left"):
        append_whole(file, b"new line")  # pyright: ignore[reportArgumentType]
    assert file.content == b"old"
    append_whole(file, b"abc")  # pyright: ignore[reportArgumentType]
    assert file.content == b"oldabc"
