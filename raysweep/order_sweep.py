"""``python -m raysweep.order_sweep``: forgetting of every pair of tasks, in both orders."""

from raysweep.cli.sweep import sweep_command

main = sweep_command(
    "order_sweep",
    """Chain every capability task with every safety task, in both orders.

    Each trial finetunes the model on one task, then on the other, and scores both (per group)
    before, between and after: the paper's Table 1 and Figures 2, 3, 9 and 10.
    """,
    default_space="order",
    examples=(
        "",
        "--seeds 0,1,2 --storage ~/sweeps",
        "paper/order --model ./llama-2-7b --data ./datasets --gpus",
    ),
)

if __name__ == "__main__":
    main()
