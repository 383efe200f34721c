"""Deep networks that classify frames of mazes, or the images of a folder of IDX files: the paper's claims at a small scale."""
