"""``python -m raysweep.lr_sweep``: forgetting against the learning rates of both stages."""

from raysweep.cli.sweep import sweep_command

main = sweep_command(
    "lr_sweep",
    """Sweep first- and second-stage learning rate, in both orders of a pair of tasks.

    Each trial finetunes the model on one task, then on the other, scores both tasks (per group)
    before, between and after, and measures the spectral radius of the first task's Hessian: the
    paper's Figures 5, 6 and 8 and Table 3.
    """,
    default_space="lr",
    examples=(
        "",
        "--seeds 0,1,2 --storage ~/sweeps",
        "--tasks bbq,arc_easy --data ./datasets",
        "my_space.yaml --model ./llama-2-7b --gpus",
    ),
)

if __name__ == "__main__":
    main()
