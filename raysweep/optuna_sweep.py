"""``python -m raysweep.optuna_sweep``: settings that keep what was learned, found by Optuna."""

from raysweep.cli.sweep import sweep_command

main = sweep_command(
    "optuna_sweep",
    """Search for settings that make good at the new task and keep the old one.

    Optuna proposes one trial after the other, from what the trials before have shown, for one
    objective or several at once. The study is kept beside the results: run the same command again
    to go on with it, or with a larger search.num_samples to prolong it.
    """,
    default_space="optuna",
    examples=(
        "",
        "--storage ~/sweeps",
        "paper/optuna --model ./llama-2-7b --data ./datasets --gpus",
    ),
)

if __name__ == "__main__":
    main()
