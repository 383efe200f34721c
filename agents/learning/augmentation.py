"""Random affine maps of what a discriminator is trained on, pictures and canvases alike (arXiv 2006.10738, section 3.2).

Without them a discriminator recognises paintings by details that none of them lacks, and its scores say little about which of
two paintings is the better one. Pictures that it never saw it scores as those that it was trained on: it is what it looks at
that maps change, not what it has learned by heart.
"""

import torch
from torch import Tensor
from torch.nn import functional

NUMBERS = 5
"""Random numbers of a map."""
_SHIFT = 0.6
"""Of half the picture's side, for a strength of 1."""


def random_maps(uniforms: Tensor, strength: float) -> Tensor:
    """Affine maps [M, 2, 3] from places of the result to places of the picture, both from -1 to 1.

    With s the strength: rotated by up to ± s radians, scaled by 1 ± s, sheared by ± s and shifted by ± 0.3 s of the side.

    Args:
        uniforms: [M, `NUMBERS`] in [0, 1).
    """
    angle, scale, shear, right, down = (strength * (2 * uniforms - 1)).unbind(1)
    cosine, sine, scale = angle.cos(), angle.sin(), 1 + scale
    across = torch.stack((scale * cosine, shear - scale * sine, _SHIFT * right), 1)
    along = torch.stack((scale * sine, scale * cosine, _SHIFT * down), 1)
    return torch.stack((across, along), 1)


def mapped(pictures: Tensor, maps: Tensor, background: float = 1.0) -> Tensor:
    """Pictures [M, C, side, side] under `maps`, by bilinear interpolation; what comes from outside is `background`."""
    places = functional.affine_grid(maps, list(pictures.shape), align_corners=False)
    return functional.grid_sample(pictures - background, places, align_corners=False) + background
