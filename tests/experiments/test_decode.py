"""`decode` from the command line, on an agent that never learned: everything is made, and can be read back."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from experiments import decode
from experiments.analysis import decoders
from experiments.analysis.items import Curves, Detections, Film, Number, Picture, PointCloud, Table
from experiments.analysis.report import page
from experiments.analysis.tensorboard import ORDER, BoardWriter
from experiments.provenance import Provenance
from tests.experiments.synthetic import ring_task, untrained


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr("sys.argv", ["decode", *map(str, arguments)])
    return decode.main()


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decode")
    agent = untrained(folder / "agent.safetensors", task=ring_task(6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "LEAST_UPDATES", 10)
        options = ("--episodes", 6, "--logdir", folder / "board", "--report", folder / "report.html")
        assert run(patch, "--checkpoint", agent, *options) == 0
    return folder


def summaries(folder: Path) -> dict[str, list[tuple[int, Any]]]:
    """Tag → (step, tensor) of everything in a TensorBoard run."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {tag: [(event.step, event.tensor_proto) for event in events.Tensors(tag)] for tag in events.Tags()["tensors"]}


def scalars(folder: Path, tag: str) -> list[float]:
    return [make_ndarray(tensor).item() for _, tensor in summaries(folder)[tag]]


def test_tensorboard_shows_every_section(decoded: Path) -> None:
    found = summaries(decoded / "board" / "agent")
    sections = {tag.split("/")[0] for tag in found}
    assert sections >= {"0 Read me first", "1 Position", "2 Loop closure", "3 Depth", "4 Behaviour", "5 Network"}
    assert any(tag.endswith("posterior along a path, film") for tag in found)
    (sequence,) = (found[tag] for tag in found if tag.endswith("posterior along a path, step by step"))
    assert len(sequence) > 40
    assert (decoded / "board" / "posterior along a path.webm").stat().st_size > 1000
    projector = (decoded / "board" / "agent" / "projector_config.pbtxt").read_text()
    assert "sprite" in projector
    assert list((decoded / "board").rglob("metadata.tsv"))


def test_every_item_has_its_index_its_name_and_its_caption(decoded: Path) -> None:
    """TensorBoard sorts by tag and shows name and words; what isn't in the list of places would come last."""
    events = EventAccumulator(str(decoded / "board" / "agent"), size_guidance={"tensors": 0}).Reload()
    for tag in events.Tags()["tensors"]:
        metadata = events.SummaryMetadata(tag)
        place, name = re.fullmatch(r"\d [A-Z][a-z ]+/(\d\d) (.+)", tag).groups()  # type: ignore[union-attr]
        assert int(place) <= len(ORDER), tag
        assert metadata.display_name == name
        assert len(metadata.summary_description) > 20, tag
        assert metadata.plugin_data.plugin_name in ("images", "scalars", "text", "pr_curves")


@pytest.mark.parametrize(
    ("control", "figures"),
    [
        ("chance", ["position accuracy", "position error in cells of path", "position accuracy by visit to the cell"]),
        ("shuffled control", ["position accuracy", "position error in cells of path", "loop-closure F1", "accuracy of D2"]),
        ("random", ["episode return", "SPL of the first trip"]),
        ("oracle", ["episode return", "SPL of the first trip", "seconds to the first goal"]),
    ],
)
def test_controls_stand_beside_the_agent(decoded: Path, control: str, figures: list[str]) -> None:
    ours, theirs = summaries(decoded / "board" / "agent"), summaries(decoded / "board" / control)
    assert set(theirs) <= set(ours)
    for figure in figures:
        assert any(figure in tag for tag in theirs), figure


def test_the_report_needs_nothing_else(decoded: Path) -> None:
    text = (decoded / "report.html").read_text()
    links = re.findall(r"""(?:src|href)=["']([^"']{1,20})""", text)
    assert links
    assert all(link.startswith("data:") for link in links)
    assert "<script" not in text
    for heading in ("Position", "Loop closure", "Depth", "Behaviour", "Network"):
        assert f"<h2>{heading}</h2>" in text
    assert "video/webm" in text


def test_every_decoder_figure_has_an_interval(decoded: Path) -> None:
    found = json.loads((decoded / "report.json").read_text())
    assert found["command"].startswith(("decode --checkpoint", "python "))
    decoders = {"position accuracy", "position error in cells of path", "loop-closure F1", "loop-closure average precision"}
    decoders |= {name for name in (figure["name"] for figure in found["figures"]) if name.startswith("accuracy of D")}
    assert len(decoders) == 6
    for figure in found["figures"]:
        if figure["name"] in decoders:
            for part in (figure, *figure["beside"].values()):
                assert part["low"] <= part["value"] <= part["high"], figure["name"]
    (table,) = (table for table in found["tables"] if table["name"] == "decoders compared")
    assert all(row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"] for row in table["rows"])


def test_a_runs_folder_gets_its_analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    untrained(tmp_path / "run" / "checkpoint.safetensors", "ff", ring_task(2))
    assert run(monkeypatch, "--checkpoint", tmp_path / "run", "--episodes", 4) == 0
    assert any((tmp_path / "run" / "analysis").iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "which agent?"),
        (["--checkpoint", "AGENT", "--episodes", "1"], "episodes is 1, expected at least 2"),
        (["--checkpoint", "AGENT", "--logdir", "AGENT/board"], "cannot write"),
        (["--checkpoint", "AGENT", "--report", "AGENT/report.html"], "cannot write"),
        (["--checkpoint", "absent.safetensors"], "no such file"),
        (["--checkpoint", "AGENT", "--report", "report.json"], "expected the name of an HTML page"),
    ],
)
def test_complaints(
    arguments: list[str],
    complaint: str,
    decoded: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    agent = str(decoded / "agent.safetensors")
    assert run(monkeypatch, *(argument.replace("AGENT", agent) for argument in arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert complaint in error.lower() or complaint in error


def test_every_kind_of_item_is_written_and_printed(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 255, size=(6, 32, 48, 3)).astype(np.uint8)
    steps = np.arange(6)
    items = [
        Number("1 A", "a share", "words of a number", 0.25, {"chance": 0.1}, key=True, percent=True),
        Curves("1 A", "a curve", "words", {"agent": (steps, (steps / 10).astype(np.float64)), "chance": (steps, np.zeros(6))}),
        Picture("1 A", "a picture", "words of a <picture>", frames[0], key=True),
        Film("1 A", "a film", "words", frames, 10.0, steps, key=True),
        Detections("2 B", "a detector", "words", steps > 2, (steps / 10).astype(np.float32)),
        Table("2 B", "a table", "words", ["who", "what"], [["agent", "<b>"]], key=True),
        PointCloud("2 B", "a cloud", "words", np.eye(6, dtype=np.float32), ["a", "b"], [["x", "y"]] * 6, frames),
        Picture("2 B", "only in TensorBoard", "words", frames[1]),
    ]
    board = BoardWriter(tmp_path / "board")
    board.write(items)
    board.close()
    agent = tmp_path / "board" / "agent"
    last = len(ORDER) + 1
    assert scalars(agent, f"1 A/{last} a curve") == pytest.approx(steps / 10)
    assert scalars(agent, f"1 A/{last} a share") == [0.25]
    text = page(items, "A title", Provenance("today", "this", "a command"))
    assert "25.0 %" in text
    assert "chance: 10.0 %" in text
    assert "words of a &lt;picture&gt;" in text
    assert "&lt;b&gt;" in text
    assert "only in TensorBoard" not in text


def test_a_second_analysis_replaces_the_first(tmp_path: Path) -> None:
    for value in (0.1, 0.9):
        board = BoardWriter(tmp_path)
        board.write([Number("1 A", "a number", "words", value)])
        board.write([PointCloud("1 A", "a cloud", "words", np.eye(4, dtype=np.float32), ["a", "b"], [["x", "y"]] * 4, None)])
        board.close()
    assert (tmp_path / "agent" / "projector_config.pbtxt").read_text().count("tensor_path") == 1
    assert scalars(tmp_path / "agent", f"1 A/{len(ORDER) + 1} a number") == pytest.approx([0.9])
