"""``python -m raysweep.sweep SPACE``: any search space."""

from raysweep.cli.sweep import sweep_command

main = sweep_command(
    "sweep",
    "Run any search space: chains of any length, any setting of any stage.",
    examples=("my_space.yaml", "replay_mixed --seeds 0,1,2"),
)

if __name__ == "__main__":
    main()
