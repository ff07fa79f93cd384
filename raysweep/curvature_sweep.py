"""``python -m raysweep.curvature_sweep``: the sharpness of the minimum that each task leads to."""

from raysweep.cli.sweep import sweep_command

main = sweep_command(
    "curvature_sweep",
    """Measure the spectral radius of the loss's Hessian after one stage, for every task.

    Each trial finetunes the model on one task and measures the curvature of that task's training
    loss: the paper's Figure 4a, and its section 4.4 over learning rates.
    """,
    default_space="curvature",
    examples=(
        "",
        "--seeds 0,1,2 --storage ~/sweeps",
    ),
)

if __name__ == "__main__":
    main()
