"""``python -m raysweep.replay_sweep``: how much of the first task brings it back."""

from raysweep.cli.sweep import sweep_command

main = sweep_command(
    "replay_sweep",
    """Replay a share of the first task's data after the second, or mixed into it.

    Each trial finetunes the model on a safety task, on a capability task, and again on some of the
    first task's data or for some steps: the paper's Figures 7 and 11 to 14.
    """,
    default_space="replay",
    examples=(
        "",
        "replay_mixed",
        "replay_steps",
        "paper/replay --model ./llama-2-7b --data ./datasets --gpus",
    ),
)

if __name__ == "__main__":
    main()
