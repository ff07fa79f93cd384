"""``python -m raysweep.tiny.pretrain --out FOLDER``: builds the shipped base."""

from raysweep.cli.pretrain import run

if __name__ == "__main__":
    run()
