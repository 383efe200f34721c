"""The recipes of docs/extending.md, word for word: the files and lines that the page names, and the commands that it gives."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "extending.md"

STEP = re.compile(
    r"^New file `(?P<new>[^`]+)`:\n\n```\w+\n(?P<content>.*?)^```$"
    r"|^In `(?P<file>[^`]+)`, below the line `(?P<line>[^`]+)`:\n\n```python\n(?P<added>.*?)^```$"
    r"|^```sh\n(?P<commands>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Recipe:
    """What one section of the page says: new files, (file, line, what comes below it), and commands."""

    files: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)


def recipes() -> dict[str, Recipe]:
    """Section → recipe, for the sections that have commands."""
    found = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        recipe = Recipe()
        for step in STEP.finditer(section):
            if step["new"]:
                recipe.files[step["new"]] = step["content"]
            elif step["file"]:
                recipe.lines.append((step["file"], step["line"], step["added"]))
            else:
                recipe.commands += step["commands"].splitlines()
        if recipe.commands:
            found[section.partition("\n")[0]] = recipe
    return found


RECIPES = recipes()
TASK, AGENT, LOSS = RECIPES


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The repository's tracked files, without tests, pictures and agents."""
    folder = tmp_path_factory.mktemp("recipes") / "knossos"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout: which files belong to the repository isn't known")
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if source.is_file() and not name.startswith(("tests/", "docs/", "experiments/pretrained/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
    yield folder
    shutil.rmtree(folder)


def follow(recipe: Recipe, folder: Path) -> list[str]:
    """Does what the recipe says, in a copy of the repository; the commands' outputs."""
    for name, content in recipe.files.items():
        assert not (folder / name).exists()
        (folder / name).write_text(content, encoding="utf-8")
    for name, line, added in recipe.lines:
        lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
        assert lines.count(f"{line}\n") == 1, f"{name} has no such line, or several: {line}"
        lines.insert(lines.index(f"{line}\n") + 1, added)
        (folder / name).write_text("".join(lines), encoding="utf-8")
    outputs = []
    for command in recipe.commands:
        program, *arguments = shlex.split(command)
        assert program == "python"
        done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        outputs.append(done.stdout)
    return outputs


def progress(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("section", RECIPES)
def test_a_recipe_is_one_file_and_one_line(section: str) -> None:
    recipe = RECIPES[section]
    assert len(recipe.files) == 1
    assert [len(added.splitlines()) for _, _, added in recipe.lines] == [1]
    assert any("experiments.train" in command for command in recipe.commands)
    assert any("experiments.evaluate" in command for command in recipe.commands)
    assert any("experiments.decode" in command for command in recipe.commands)


def test_a_task_and_its_gymnasium_id(copy: Path) -> None:
    made, *_ = follow(RECIPES[TASK], copy)
    assert "goal_cell" in made
    run = copy / "runs" / "meander"
    results = json.loads((run / "evaluation.json").read_text(encoding="utf-8"))["results"]
    assert results[0]["task"] == "meander"
    assert {result["split"] for result in results} == {"fixed", "heldout"}
    assert "meander" in (run / "report.html").read_text(encoding="utf-8")


def test_an_agent_with_a_new_body(copy: Path) -> None:
    follow(RECIPES[AGENT], copy)
    run = copy / "runs" / "gru"
    assert progress(run)[-1]["frames"] >= 800
    # The analysis names the layer as the core does.
    assert "GRU" in (run / "report.html").read_text(encoding="utf-8")


def test_an_auxiliary_loss(copy: Path) -> None:
    follow(RECIPES[LOSS], copy)
    run = copy / "runs" / "compass"
    last = progress(run)[-1]
    assert 0 < last["loss/compass loss"] < 10
    assert last["auxiliary/compass squared error"] == pytest.approx(last["loss/compass loss"], rel=0.01)
    assert json.loads((run / "config.json").read_text(encoding="utf-8"))["settings"]["loss_weight"]["compass"] == 0.5
    assert (run / "report.html").is_file()
