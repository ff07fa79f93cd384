"""``python -m raysweep``: the script `raysweep`."""

from raysweep.cli.app import main

if __name__ == "__main__":
    main()
