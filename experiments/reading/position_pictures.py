"""What to show of position: decoders compared, accuracy over time and over the maze, and the posterior along a path."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from experiments.reading.exhibits import (
    AGENT,
    CHANCE,
    CONTROL,
    INK,
    QUIET,
    Curves,
    Exhibit,
    Film,
    Number,
    Picture,
    Pixels,
    Table,
    figure,
    pixels_of,
)
from experiments.reading.mind import POSTERIOR
from experiments.reading.position import (
    Kind,
    Reading,
    binned,
    confusion,
    decode,
    entropy,
    heading_class,
    path_error,
    reading_of,
    visits,
)
from experiments.reading.recording import Recording, default_threads
from maze_gen.drawing import text_font
from maze_gen.paths import all_distances
from maze_gen.topdown import TopDown

SECTION = "1 Position"
KINDS: tuple[Kind, ...] = ("linear", "one hidden layer")
SECONDS_EDGES = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 30])
VISITS = 8
FILM_RATE = 7.5
PANEL = (6.0, 4.2)
OWN = "the agent's own decoder"


@dataclass(frozen=True)
class PositionReadings:
    """What decoders made of an agent.

    Attributes:
        best: the reading that is looked into: the agent's own decoder, else the linear one on its last layer.
        position, heading, goal: fitted decoders, from the eye to the policy; `goal` is empty where the goal never moves.
        own: the agent's own decoder, if it has one.
    """

    best: Reading
    position: list[Reading]
    heading: list[Reading]
    goal: list[Reading]
    own: Reading | None


def read_positions(
    recording: Recording, layers: tuple[str, ...], progress: Callable[[str], None] | None = None, threads: int | None = None
) -> PositionReadings:
    """Fits every decoder, several at a time."""
    cells = recording.task.cells
    goal_moves = len(np.unique(recording.goal_cell)) > 1 and len(recording.task.mazes) == 1
    targets = {"position": (recording.cell, cells), "heading": (heading_class(recording.heading), 8)}
    if goal_moves:
        targets["goal"] = (recording.goal_cell, cells)
    jobs = [(what, layer, kind) for what in targets for layer in layers for kind in KINDS]

    def run(job: tuple[str, str, Kind]) -> Reading:
        what, layer, kind = job
        # Small products are faster on one thread each than together on all.
        torch.set_num_threads(1)
        labels, classes = targets[what]
        found = decode(f"{what} from {layer}, {kind}", recording.readings[layer], labels, classes, kind)
        if progress:
            progress(f"fitted {found.name}")
        return found

    before = torch.get_num_threads()
    with ThreadPoolExecutor(threads or default_threads()) as pool:
        readings = dict(zip(jobs, pool.map(run, jobs), strict=True))
    torch.set_num_threads(before)
    own = recording.readings.get(POSTERIOR)
    mine = None if own is None else reading_of(f"position, {OWN}", own, recording.cell)
    found = {what: [reading for job, reading in readings.items() if job[0] == what] for what in ("position", "heading", "goal")}
    best = mine or readings["position", layers[-1], "linear"]
    return PositionReadings(best, found["position"], found["heading"], found["goal"], mine)


def position_exhibits(recording: Recording, readings: PositionReadings) -> list[Exhibit]:
    """Everything about position but the film."""
    best = readings.best
    error = errors_of(recording, best)
    shuffled = next(reading.shuffled for reading in reversed(readings.position) if reading.shuffled is not None)
    exhibits: list[Exhibit] = [
        _compared(readings),
        Number(
            SECTION,
            "accuracy of naming the cell",
            f"Share of steps at which {best.name} names the true one of {recording.task.cells} cells, on episodes that no "
            "decoder was fitted on. Chance always names the commonest cell; the control was fitted on other episodes' labels.",
            best.accuracy,
            {"chance": best.chance, "shuffled control": shuffled},
            key=True,
            percent=True,
        ),
        Number(
            SECTION, "error in cells of path", "Mean way between the named cell and the true one, in cells.", float(error.mean())
        ),
        *_over_time(recording, readings, shuffled),
    ]
    exhibits += _layer_pictures(readings)
    if len(recording.task.mazes) == 1:
        exhibits += _maps(recording, best, error)
    exhibits.append(_confusion(recording, best))
    return exhibits


def errors_of(recording: Recording, reading: Reading) -> npt.NDArray[np.int32]:
    """[R, T] cells of path between the named cell and the true one, in the episodes that were read."""
    mazes = recording.maze[reading.episodes]
    distance = {int(maze): all_distances(recording.task.mazes[maze]) for maze in np.unique(mazes)}
    rows = zip(reading.likeliest, reading.labels, mazes.tolist(), strict=True)
    return np.stack([path_error(said, truth, distance[maze]) for said, truth, maze in rows])


def _compared(readings: PositionReadings) -> Table:
    rows = [readings.own] if readings.own else []
    rows += [*readings.position, *readings.heading, *readings.goal]

    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f} %"

    return Table(
        SECTION,
        "decoders compared",
        "What can be read off which layer. A decoder is fitted on 60 % of the episodes, after training and without changing the "
        "agent, and tested on the others. Chance always names the commonest class; the shuffled control was fitted on labels of "
        "other episodes: only what lies above both is knowledge.",
        ["decoded, from, by", "accuracy", "chance", "shuffled control"],
        [[reading.name, percent(reading.accuracy), percent(reading.chance), percent(reading.shuffled)] for reading in rows],
        key=True,
    )


def _over_time(recording: Recording, readings: PositionReadings, shuffled: float) -> list[Exhibit]:
    best = readings.best
    right = (best.likeliest == best.labels).astype(np.float64)
    since = recording.seconds_since_spawn[best.episodes]
    visit = visits(recording.cell[best.episodes])
    by_time = binned(since, right, SECONDS_EDGES)
    by_visit = binned(np.minimum(visit, VISITS), right, np.arange(1, VISITS + 2))
    bits = binned(since, entropy(best.probabilities), SECONDS_EDGES)
    middle = (by_time.edges[:-1] + by_time.edges[1:]) / 2

    def rising(x: npt.NDArray, values: npt.NDArray, title: str, across: str) -> Pixels:
        with figure(*PANEL) as (made, axes):
            axes.plot(x, 100 * values, "o-", color=AGENT, label=best.name)
            axes.axhline(100 * shuffled, color=CONTROL, linestyle="--", label="shuffled control")
            axes.axhline(100 * best.chance, color=CHANCE, linestyle=":", label="chance")
            axes.set_ylim(0, 100)
            axes.set_ylabel("steps with the right cell, %")
            axes.set_title(title)
            axes.set_xlabel(across)
            axes.legend(fontsize=10)
            return pixels_of(made)

    with figure(*PANEL) as (made, axes):
        axes.plot(middle, bits.mean, "o-", color=AGENT, label=best.name)
        alike = np.log2(recording.task.mazes[0].open.sum())
        axes.axhline(alike, color=CHANCE, linestyle=":", label="every cell alike")
        axes.set_ylim(0)
        axes.set_title("Doubt after a spawn")
        axes.set_xlabel("seconds since the last spawn")
        axes.set_ylabel("entropy of the posterior, bits")
        axes.legend(fontsize=10)
        doubt = pixels_of(made)
    steps = np.floor(by_time.edges[:-1] * 1000).astype(np.int64)
    flat = np.ones(len(steps))
    return [
        Picture(
            SECTION,
            "accuracy after a spawn",
            "An agent that is put down somewhere has to look around: the better it knows its maze, the sooner the curve rises.",
            rising(middle, by_time.mean, "Accuracy after a spawn", "seconds since the last spawn"),
            key=True,
        ),
        Picture(
            SECTION,
            "doubt after a spawn",
            "Entropy of what it believes about its place: one bit means that it hesitates between two cells.",
            doubt,
            key=True,
        ),
        Picture(
            SECTION,
            "accuracy in a cell seen before",
            "By how often it has entered its present cell in this episode: what rises was learned within the episode.",
            rising(
                np.arange(1, VISITS + 1),
                by_visit.mean,
                "Accuracy in a cell seen before",
                f"visit to the cell ({VISITS}: or later)",
            ),
            key=True,
        ),
        Curves(
            SECTION,
            "accuracy by milliseconds since spawn",
            "Share of steps with the right cell; the step axis is milliseconds since the last spawn.",
            {"agent": (steps, by_time.mean), "shuffled control": (steps, shuffled * flat), "chance": (steps, best.chance * flat)},
        ),
        Curves(
            SECTION,
            "accuracy by visit to the cell",
            "Share of steps with the right cell; the step axis counts entries into the present cell in this episode.",
            {
                "agent": (np.arange(1, VISITS + 1), by_visit.mean),
                "chance": (np.arange(1, VISITS + 1), np.full(VISITS, best.chance)),
            },
        ),
    ]


def _layer_pictures(readings: PositionReadings) -> list[Exhibit]:
    groups = [("cell", readings.position), ("heading, of eight", readings.heading)]
    if readings.goal:
        groups.append(("cell of the goal", readings.goal))
    exhibits: list[Exhibit] = []
    for what, found in groups:
        with figure(*PANEL) as (made, axes):
            names = [reading.name.split(" from ")[1].split(", ")[0] for reading in found[::2]]
            x = np.arange(len(names))
            for offset, first, colour, label in ((-0.2, 0, AGENT, KINDS[0]), (0.2, 1, "#8fb2ec", KINDS[1])):
                axes.bar(x + offset, [100 * reading.accuracy for reading in found[first::2]], 0.36, color=colour, label=label)
                controls = [100 * (reading.shuffled or 0.0) for reading in found[first::2]]
                mark = {"color": CONTROL, "markersize": 26, "markeredgewidth": 2.5, "linestyle": "none"}
                axes.plot(x + offset, controls, marker="_", label=None if first else "shuffled control", **mark)
            axes.axhline(100 * found[0].chance, color=CHANCE, linestyle=":", label="chance")
            axes.set_xticks(x, names)
            axes.set_ylim(0, 100)
            axes.set_ylabel("accuracy, %")
            axes.set_title(f"Decoding the {what}")
            made.legend(loc="outside lower center", ncols=4, fontsize=9)
            exhibits.append(
                Picture(
                    SECTION,
                    f"what each layer knows of the {what}",
                    "Accuracy of decoders on each layer, from the eye to the policy. What a later layer knows better than the "
                    "encoder, it has remembered: one picture didn't show it.",
                    pixels_of(made),
                    key=True,
                )
            )
    return exhibits


def _maps(recording: Recording, best: Reading, error: npt.NDArray[np.int32]) -> list[Exhibit]:
    maze = recording.task.mazes[0]
    cells = recording.task.cells
    count = np.bincount(best.labels.ravel(), minlength=cells)

    def by_cell(values: npt.NDArray) -> npt.NDArray[np.float64]:
        total = np.bincount(best.labels.ravel(), weights=values.ravel(), minlength=cells)
        return np.divide(total, count, out=np.full(cells, np.nan), where=count > 0)

    right = 100 * by_cell((best.likeliest == best.labels).astype(np.float64))
    scale = 56 if maze.cols <= 12 else 36
    return [
        Picture(
            SECTION,
            "map of accuracy in percent",
            "For each true cell, how often it is named rightly. Dark places are those that the agent can't tell from others.",
            TopDown(maze, scale).heat(right, low=0, high=100, colour_bar=True).array(),
            key=True,
        ),
        Picture(
            SECTION,
            "map of the error in cells of path",
            "For each true cell, the mean way to the cell that is named instead.",
            TopDown(maze, scale).heat(by_cell(error), "magma_r", low=0, colour_bar=True).array(),
        ),
    ]


def _confusion(recording: Recording, best: Reading) -> Picture:
    shares = 100 * confusion(best.likeliest, best.labels, recording.task.cells)
    cols = recording.task.mazes[0].cols
    open_cells = np.flatnonzero(recording.task.mazes[0].open.ravel())
    shares = shares[np.ix_(open_cells, open_cells)]
    with figure(7.6, 6.8) as (made, axes):
        drawn = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
        starts = [place for place, cell in enumerate(open_cells) if place == 0 or cell // cols != open_cells[place - 1] // cols]
        names = [f"row {open_cells[place] // cols}" for place in starts]
        axes.set_xticks(starts, names, rotation=90 if len(starts) > 6 else 0)
        axes.set_yticks(starts, names)
        axes.set_xlabel("cell that is named (row by row, from the top left)")
        axes.set_ylabel("true cell")
        axes.set_title("Which cells are taken for which")
        made.colorbar(drawn, ax=axes, label="% of the steps in the true cell", shrink=0.8)
        return Picture(
            SECTION,
            "confusion of cells",
            "A perfect reader fills the diagonal. Marks beside it are neighbours, marks far off are places that look alike.",
            pixels_of(made),
        )


def posterior_film(recording: Recording, reading: Reading, name: str = "posterior along a path") -> Film | None:
    """The posterior over the maze at every step beside the first-person view and the truth; None without kept pictures.

    Of the kept episodes that weren't fitted on, the one with the highest return is shown.
    """
    kept = [episode for episode in reading.episodes.tolist() if episode in recording.pictures]
    if not kept:
        return None
    episode = max(kept, key=lambda number: recording.returns[number])
    row = reading.episodes.tolist().index(episode)
    maze = recording.task.mazes[recording.maze[episode]]
    bits = entropy(reading.probabilities[row])
    spawned = recording.spawned[episode]
    # A film of 60 seconds at half the agent's 15 steps a second; longer episodes show their first minute.
    steps = np.arange(0, min(recording.steps, 900), 2)
    views, places = recording.pictures[episode], recording.position[episode]
    frames = []
    for step in steps.tolist():
        canvas = TopDown(maze, 40 if maze.cols <= 12 else 28, things="none", smoothing=1)
        canvas.heat(np.sqrt(reading.probabilities[row, step]), "Blues", low=0, high=1, opacity=1.0)
        canvas.goal(divmod(int(recording.goal_cell[episode, step]), maze.cols))
        last = max(0, step - 30)
        last += int(np.flatnonzero(spawned[last : step + 1])[-1]) if spawned[last : step + 1].any() else 0
        canvas.path(places[last : step + 1], colour=(208, 128, 42), width=0.06)
        x, y = places[step].tolist()
        canvas.agent(x, y, float(recording.heading[episode, step]), colour=(208, 60, 42))
        frames.append(_beside(views[step], canvas.array(), bits, spawned, step, recording.step_seconds))
    return Film(
        SECTION,
        name,
        "Left what the agent sees; right, in blue, where it believes it is (darker: surer), its true place (red arrow), the last "
        "two seconds of its way (orange) and the goal. Below, its doubt over the episode: it jumps at every respawn (grey "
        "lines), then falls.",
        np.stack(frames),
        FILM_RATE,
        steps,
        key=True,
    )


def _beside(
    view: Pixels, place: Pixels, bits: npt.NDArray, spawned: npt.NDArray[np.bool_], step: int, step_seconds: float
) -> Pixels:
    """View and map side by side above the curve of doubt."""
    height = max(place.shape[0], 168)
    eye = Image.fromarray(view).resize((height, height), Image.Resampling.NEAREST)
    gap, strip, head = 12, 84, 26
    width = height + place.shape[1] + 3 * gap
    whole = Image.new("RGB", (width + width % 2, head + height + strip + 2 * gap + (head + height + strip) % 2), "white")
    whole.paste(eye, (gap, head))
    whole.paste(Image.fromarray(place), (height + 2 * gap, head + (height - place.shape[0]) // 2))
    draw = ImageDraw.Draw(whole)
    draw.text((gap, 5), "what it sees", fill=INK, font=text_font(13))
    draw.text((height + 2 * gap, 5), f"where it believes it is: {bits[step]:.1f} bits of doubt", fill=INK, font=text_font(13))
    top, bottom = head + height + gap + 12, whole.height - 8
    left, right = gap, width - gap

    def across(index: float) -> float:
        return left + (right - left) * index / max(1, len(bits) - 1)

    for index in np.flatnonzero(spawned).tolist():
        draw.line((across(index), top, across(index), bottom), fill="#c3c7d1", width=2)
    most = max(1.0, float(bits.max()))
    line = [(across(index), bottom - (bottom - top) * float(bits[index]) / most) for index in range(len(bits))]
    draw.line(line, fill="#c9d7f3", width=1)
    draw.line(line[: step + 1], fill=AGENT, width=2)
    draw.text((left, top - 16), f"doubt, 0 to {most:.1f} bits; {step * step_seconds:.1f} s", fill=QUIET, font=text_font(12))
    return np.asarray(whole)
