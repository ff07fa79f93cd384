"""What ``import raysweep`` offers: a sweep from a notebook, by the same parts as the commands."""
