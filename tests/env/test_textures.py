"""Textures: landmarks, themes and colours differ, and mipmap levels are averages."""

from itertools import combinations

import numpy as np

from env.engine.textures import atlas, landmarks
from maze_gen.maze import FIRST_LANDMARK_FACE, LANDMARKS, THEMES


def test_landmarks_differ_pairwise():
    """At 8 x 8 pixels, as from three cells away, the root mean square difference of any two is a seventh of the range."""
    framed = landmarks.pictures()
    assert framed.shape[0] == LANDMARKS
    small = framed[:, 2:42, 2:42].reshape(LANDMARKS, 8, 5, 8, 5, 3).mean(axis=(2, 4)).reshape(LANDMARKS, -1)
    apart = [np.sqrt(((small[a] - small[b]) ** 2).mean()) for a, b in combinations(range(LANDMARKS), 2)]
    assert min(apart) > 0.15
    assert len(set(landmarks.recipes())) == LANDMARKS


def test_themes_and_colours_differ():
    texels = atlas.all_textures()
    means = []
    for theme in range(THEMES):
        for number in range(1, 6):
            start = (theme * atlas.THEME_SLOTS + number) * atlas.SLOT_TEXELS
            pixels = texels[start : start + 4096].view(np.uint8).reshape(-1, 4)[:, :3]
            means.append((theme, number, pixels.mean(axis=0), pixels.reshape(64, 64, 3).astype(float)))
    for (theme, number, mean, image), (other, second, other_mean, other_image) in combinations(means, 2):
        if theme == other:
            assert np.abs(mean - other_mean).max() > 30, (theme, number, second)
        assert np.abs(image - other_image).mean() > 8


def test_texture_numbers_are_distinct_and_in_range():
    codes = [*range(1, 6), *range(FIRST_LANDMARK_FACE, FIRST_LANDMARK_FACE + LANDMARKS)]
    numbers = [atlas.texture_number(code) for code in codes]
    assert sorted(numbers) == list(range(1, atlas.THEME_SLOTS))
    assert atlas.texture_number(0) == 0


def test_smaller_levels_are_averages_of_larger_ones():
    texels = atlas.all_textures()[atlas.SLOT_TEXELS : 2 * atlas.SLOT_TEXELS].view(np.uint8).reshape(-1, 4)[:, :3]
    at = 0
    for bits in range(6, 0, -1):
        size = 1 << bits
        large = texels[at : at + size * size].reshape(size, size, 3).astype(float)
        at += size * size
        small = texels[at : at + size * size // 4].reshape(size // 2, size // 2, 3)
        np.testing.assert_allclose(small, large.reshape(size // 2, 2, size // 2, 2, 3).mean(axis=(1, 3)), atol=1.6)
