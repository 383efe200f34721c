"""Pictures of paintings: many of them, targets over reconstructions, and how a canvas came about stroke by stroke."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from env.painting.program import paint_programs
from experiments.painting.gallery import Gallery
from maze_gen.raster import Pixels

GAP = 2
GREY = 200


def grid(images: npt.NDArray[np.uint8], columns: int, scale: int = 1) -> Pixels:
    """Pictures [N, side, side, C] in rows of `columns`, each enlarged `scale` times, with thin grey lines between them."""
    count, side = len(images), images.shape[1] * scale
    rows = -(-count // columns)
    sheet = np.full((rows * (side + GAP) + GAP, columns * (side + GAP) + GAP, 3), GREY, np.uint8)
    for index, image in enumerate(images):
        top, left = (GAP + place * (side + GAP) for place in divmod(index, columns))
        sheet[top : top + side, left : left + side] = image.repeat(scale, 0).repeat(scale, 1)
    return sheet


def samples(gallery: Gallery, count: int = 64, columns: int = 16, side: int = 64) -> Pixels:
    """Finished paintings, painted again at another size by the embedded brush."""
    programs = gallery.programs[:count]
    return grid(paint_programs(programs, side, hardness=gallery.task.hardness), columns)


def side_by_side(galleries: Sequence[Gallery], count: int = 16, scale: int = 2) -> Pixels:
    """A row for each of some painters: what they painted, beginning with the same targets and noise."""
    return grid(np.concatenate([gallery.canvas[:count] for gallery in galleries]), min(count, len(galleries[0].canvas)), scale)


def targets_over_reconstructions(gallery: Gallery, count: int = 16, scale: int = 2) -> Pixels:
    """Two rows: targets, and below each what was painted."""
    assert gallery.target is not None
    return grid(np.concatenate((gallery.target[:count], gallery.canvas[:count])), min(count, len(gallery.canvas)), scale)


def sequences(gallery: Gallery, count: int = 6, scale: int = 2, most: int = 20) -> Pixels:
    """A row for each of some paintings: the canvas after every step, of `most` steps at equal distances."""
    steps = np.unique(np.linspace(1, len(gallery.history) - 1, min(most, len(gallery.history) - 1)).round().astype(int))
    images = gallery.history[steps][:, :count].swapaxes(0, 1)
    return grid(images.reshape(-1, *images.shape[2:]), len(steps), scale)


def distance_along(gallery: Gallery) -> npt.NDArray[np.float64]:
    """[T + 1]: the mean distance to the target before the first and after every step."""
    assert gallery.target is not None
    difference = gallery.history.astype(np.float64) - gallery.target
    return 100 * np.square(difference / 255).mean((1, 2, 3, 4))
