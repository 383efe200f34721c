"""Colours of a maze, RGB 0 to 255: the theme's plain walls, the coloured ones, floor, and things that lie in the cells."""

RGB = tuple[int, int, int]

PLAIN_WALLS: tuple[RGB, ...] = ((178, 132, 96), (122, 142, 120), (128, 136, 158), (186, 166, 128), (146, 118, 136))
"""A colour a theme: clay, moss, slate, sand, heather."""

COLOURED_WALLS: tuple[RGB, ...] = ((46, 114, 190), (232, 168, 40), (60, 156, 88), (150, 74, 168))
"""Of the face codes 2 to 5: blue, amber, green, violet. None is red, for the goal is."""

FLOOR: RGB = (246, 243, 236)
SOLID: RGB = (74, 72, 78)
PICTURE: RGB = (232, 60, 140)
APPLE: RGB = (112, 176, 50)
STRAWBERRY: RGB = (236, 90, 120)
GOAL: RGB = (214, 32, 40)
AGENT: RGB = (20, 26, 40)


def face_colour(theme: int, face: int) -> RGB:
    """Colour of a wall by its code in `Decoration.faces`; a wall that bears a picture has the plain colour behind it."""
    return COLOURED_WALLS[face - 2] if 2 <= face < 2 + len(COLOURED_WALLS) else PLAIN_WALLS[theme % len(PLAIN_WALLS)]
