"""What a picture must be like."""

from pathlib import Path

from matplotlib.image import imread


def is_framed_in_white(path: Path) -> bool:
    """Whether no ink touches the border: text that is cut would."""
    pixels = imread(path)[..., :3]
    sides = (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:])
    return all((side == 1).all() for side in sides)
