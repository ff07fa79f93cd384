"""``python -m raysweep.lr_sweep``: forgetting against the learning rates of both stages."""

from raysweep.command import sweep_command

main = sweep_command(
    "lr",
    """Sweep first- and second-stage learning rate, in both orders of a pair of tasks.

    Each trial finetunes the model on one task, then on the other, scores both tasks (per group)
    before, between and after, and measures the spectral radius of the first task's Hessian. It
    joins the running Ray cluster if there is one; otherwise it starts one on this machine, with
    the dashboard on loopback.

    Finished stages are kept in the storage location. Run the same command again after an
    interruption, or with more learning rates: nothing is trained twice.

    Examples:

        python -m raysweep.lr_sweep

        python -m raysweep.lr_sweep --seeds 0,1,2 --storage ~/sweeps

        python -m raysweep.lr_sweep --tasks bbq,arc_easy --data ./datasets

        python -m raysweep.lr_sweep --space my_space.yaml --model ./llama-2-7b --gpus

    Exit code: 0 when all trials finished, 1 when some failed (they are named), 2 for a mistake in
    the settings (nothing was started), 130 when interrupted.
    """,
)

if __name__ == "__main__":
    main()
