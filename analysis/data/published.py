"""Numbers that the paper prints, of LLaMA-2 7B; those of Table 2 stand beside each task's data."""

from __future__ import annotations

TABLE_1 = {
    ("toxigen", "arc_easy"): (6.87, 0.1),
    ("bbq", "arc_easy"): (43.45, 1.02),
    ("saferdialogues", "arc_easy"): (3.21, 0.38),
    ("toxigen", "csqa"): (3.98, -0.05),
    ("bbq", "csqa"): (46.85, 16.87),
    ("saferdialogues", "csqa"): (0.84, -0.03),
    ("toxigen", "csqa2"): (38.05, 9.29),
    ("bbq", "csqa2"): (13.52, 7.37),
    ("saferdialogues", "csqa2"): (4.36, -1.00),
}
"""Forgetting of the safety and of the capability task, when each comes first."""

TABLE_1_AFTER = {
    ("toxigen", "arc_easy"): (84.29, 77.11),
    ("bbq", "arc_easy"): (54.56, 76.19),
    ("saferdialogues", "arc_easy"): (94.25, 76.83),
    ("toxigen", "csqa"): (87.18, 70.32),
    ("bbq", "csqa"): (51.16, 53.4),
    ("saferdialogues", "csqa"): (96.62, 70.3),
    ("toxigen", "csqa2"): (53.11, 51.79),
    ("bbq", "csqa2"): (84.49, 53.71),
    ("saferdialogues", "csqa2"): (93.10, 62.08),
}
"""Accuracy of the safety and of the capability task after both stages, when each comes first."""

TABLE_3 = {
    "toxigen": {1e-6: 73.36, 5e-6: 88.07, 1e-5: 89.87, 1.5e-5: 90.75, 2e-5: 90.98},
    "bbq": {1e-6: 84.09, 5e-6: 98.32, 1e-5: 97.97, 1.5e-5: 97.91, 2e-5: 97.87},
    "saferdialogues": {1e-6: 95.43, 5e-6: 98.1, 1e-5: 97.46, 1.5e-5: 98.34, 2e-5: 95.18},
}
"""Accuracy after the first stage, by learning rate."""


def relative_forgetting(safety: str, capability: str) -> tuple[float, float] | None:
    """In percent, of the safety and of the capability task, each first; None for other pairs.

    Figure 2 prints no numbers: these follow from Table 1, with accuracy before = that after both
    stages + forgetting.
    """
    if (safety, capability) not in TABLE_1:
        return None
    lost, after = TABLE_1[safety, capability], TABLE_1_AFTER[safety, capability]
    of_safety, of_capability = (100 * x / (x + y) for x, y in zip(lost, after, strict=True))
    return of_safety, of_capability
