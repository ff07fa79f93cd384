"""``python -m raysweep.judge SOURCE --out FOLDER``: converts a published judge, once."""

from raysweep.cli.judge import run

if __name__ == "__main__":
    run()
