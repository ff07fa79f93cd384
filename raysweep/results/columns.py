"""The columns of the result tables, each with its meaning.

Every row says which sweep, trial, chain, settings and seed it belongs to. Columns that start with
``provenance_`` tell where and how fast a row was made; two runs are equal when all the other
columns are.
"""

from __future__ import annotations

import pyarrow as pa

SCHEMA_VERSION = "4"
"""2 has the column "scoring"; 3 parts of losses, valid answers, unevenness and clusters of rows;
4 the data seed."""


def _field(name: str, kind: pa.DataType, meaning: str) -> pa.Field:
    return pa.field(name, kind, metadata={"meaning": meaning})


_COMMON = [
    _field("sweep", pa.string(), "name of the sweep and digest of its settings"),
    _field("trial", pa.string(), "the trial: one chain with one set of settings and its seeds"),
    _field("chain", pa.string(), "the stages' tasks, such as 'toxigen -> arc_easy'"),
    _field("seed", pa.int64(), "the trial's seed"),
    _field(
        "data_seed",
        pa.int64(),
        "with which the tasks' rows are drawn; null in results of versions before 4, of which all "
        "trials have one",
    ),
    _field("settings", pa.string(), "hyperparameters of each stage, as JSON"),
    _field("learning_rates", pa.list_(pa.float64()), "learning rate of each stage of the chain"),
    _field("stage", pa.int32(), "stages trained before this row was measured; 0 is the base model"),
    _field("stage_task", pa.string(), "what that stage was trained on; null for the base model"),
    _field("stage_key", pa.string(), "key of that stage in the store"),
]

_MEASURED = [
    *_COMMON,
    _field("task", pa.string(), "the task that is measured"),
    _field("title", pa.string(), "its short name in tables, such as 'TQA'"),
    _field("kind", pa.string(), "'capability' or 'safety'"),
]

_SCORED = [
    *_MEASURED,
    _field(
        "scoring",
        pa.int32(),
        "version of the scoring: 3 scores answers with their end mark; 2, or null, without it",
    ),
]

_LEARNED_AT = _field("learned_at", pa.int32(), "the task's first full stage")

_UNEVEN = [
    _field("num_examples", pa.int64(), "test rows scored"),
    _field("num_groups", pa.int64(), "groups with at least 10 of them, which are compared"),
    _field("num_clusters", pa.int64(), "templates of the rows; null where each row is its own"),
    _field("worst_group", pa.string(), "of these the one with the largest biased forgetting"),
    _field("worst_num_examples", pa.int64(), "its test rows"),
    _field("max_biased_forgetting", pa.float64(), "its biased forgetting (equation 2)"),
    _field("expected_maximum", pa.float64(), "the largest, if groups make no difference"),
    _field("maximum_limit", pa.float64(), "which the largest exceeds in 5 % of cases then"),
    _field("excess_biased_forgetting", pa.float64(), "the largest - the expected largest"),
    _field("biased_forgetting_p", pa.float64(), "probability of one as large then"),
    _field("standardised_worst_group", pa.string(), "the worst if all had the same answers"),
    _field("max_standardised", pa.float64(), "its biased forgetting with the same answers"),
    _field("standardised_expected_maximum", pa.float64(), "the largest of these by chance"),
    _field("standardised_p", pa.float64(), "probability of one as large by chance"),
    _field("unevenness_p", pa.float64(), "probability of groups as uneven, all together"),
    _field("num_permutations", pa.int64(), "of the groups' labels, from which all this comes"),
]

_TABLES = {
    "evaluations": [
        *_SCORED,
        _field("group", pa.string(), "demographic group, or 'overall' for all rows of the task"),
        _field("subset", pa.string(), "part of the task (BBQ: 'ambig', 'disambig'), or 'all'"),
        _field("num_examples", pa.int64(), "test rows scored"),
        _field("num_correct", pa.int64(), "test rows answered rightly, or judged safe"),
        _field("accuracy", pa.float64(), "num_correct / num_examples, a fraction"),
        _field("chance", pa.float64(), "accuracy of random answers; null for generation"),
        _field("constant_prediction", pa.bool_(), "whether every row got the same answer"),
        _field(
            "bias_score",
            pa.float64(),
            "BBQ, per condition: -1 against the stereotype, 0 unbiased, 1 with it",
        ),
        _field(
            "loss_format",
            pa.float64(),
            "mean over rows of -log p of the right answer's format: the tokens that all answers "
            "begin and end with; null for generation",
        ),
        _field("loss_content", pa.float64(), "the same of its content: the tokens that decide"),
        _field(
            "valid_answer_rate",
            pa.float64(),
            "share of rows to which the model, token by token, would say one of the answers and "
            "end; null for generation",
        ),
    ],
    "predictions": [
        *_SCORED,
        _field("example_id", pa.string(), "the row's id within its task"),
        _field("groups", pa.list_(pa.string()), "the groups that the row belongs to"),
        _field("subset", pa.string(), "the subset that the row belongs to"),
        _field("answer", pa.string(), "the right answer; 'safe' for generation"),
        _field("prediction", pa.string(), "the answer given; the response for generation"),
        _field("correct", pa.bool_(), "whether the prediction counts as right"),
        _field("cluster", pa.string(), "the template it was made from; empty or null for its own"),
        _field("toxic_probability", pa.float64(), "of a generated response, by the judge"),
        _field("role", pa.string(), "BBQ: 'biased', 'counter-biased' or 'unknown' answer"),
        _field(
            "log_probabilities",
            pa.list_(pa.float64()),
            "natural log-likelihood of each answer with its end mark; empty for generation",
        ),
        _field(
            "log_probability_format",
            pa.float64(),
            "the right answer's summands of the tokens that all answers begin and end with",
        ),
        _field("log_probability_content", pa.float64(), "its other summands, which decide"),
        _field(
            "valid",
            pa.bool_(),
            "whether the greedy continuation is one of the answers with its end mark; null for "
            "generation",
        ),
    ],
    "forgetting": [
        *_SCORED,
        _field("group", pa.string(), "demographic group, or 'overall'"),
        _LEARNED_AT,
        _field("num_examples", pa.int64(), "test rows scored"),
        _field("accuracy_before", pa.float64(), "right after that stage, a fraction"),
        _field("accuracy_after", pa.float64(), "after this row's stage, a fraction"),
        _field("forgetting", pa.float64(), "before - after (equation 1); larger is worse"),
        _field("relative_forgetting", pa.float64(), "forgetting / before; null if before is 0"),
        _field("biased_forgetting", pa.float64(), "forgetting - overall's (equation 2)"),
        _field("valid_before", pa.float64(), "valid_answer_rate right after that stage"),
        _field("valid_after", pa.float64(), "after this row's stage; lower: it no longer answers"),
        _field(
            "accuracy_among_valid_before",
            pa.float64(),
            "accuracy over the rows that were answered validly then; null without any",
        ),
        _field("accuracy_among_valid_after", pa.float64(), "over those answered validly now"),
    ],
    "unevenness": [*_SCORED, _LEARNED_AT, *_UNEVEN],
    "curvature": [
        *_MEASURED,
        _field(
            "part",
            pa.string(),
            "of the answers in the loss: 'whole', or 'content' for the tokens that decide; 'whole' "
            "where it is null",
        ),
        _field("spectral_radius", pa.float64(), "largest |eigenvalue| of the loss's Hessian"),
        _field("eigenvalue", pa.float64(), "that eigenvalue, with its sign"),
        _field("largest_ritz_value", pa.float64(), "upper end of the estimated spectrum"),
        _field("smallest_ritz_value", pa.float64(), "lower end of the estimated spectrum"),
        _field("residual", pa.float64(), "norm of H v - eigenvalue v for the unit vector v"),
        _field("relative_residual", pa.float64(), "residual / spectral radius"),
        _field("converged", pa.bool_(), "whether the tolerance was reached"),
        _field("num_products", pa.int64(), "Hessian-vector products"),
        _field("num_samples", pa.int64(), "training examples in the loss"),
        _field("num_tokens", pa.int64(), "answer tokens in the loss, its normaliser"),
        _field("num_parameters", pa.int64(), "size of the Hessian"),
        _field("reduction", pa.string(), "what the loss is a mean over: 'token' or 'sample'"),
        _field("dtype", pa.string(), "of the arithmetic"),
        _field("weight_dtype", pa.string(), "of the weights as published"),
        _field("solver", pa.string(), "'lanczos' or 'power'"),
        _field("sample_seed", pa.int64(), "seed of the drawn examples and the start vector"),
        _field("provenance_operator", pa.string(), "'replica' or 'layerwise'"),
        _field("provenance_attention", pa.string(), "implementation during the products"),
        _field("provenance_seconds", pa.float64(), "wall time of the measurement"),
    ],
    "changes": [
        *_MEASURED,
        _field("loss_before", pa.float64(), "the task's loss L before this row's stage"),
        _field("loss_after", pa.float64(), "after it, on the same training examples"),
        _field("loss_increase", pa.float64(), "after - before"),
        _field(
            "format_before",
            pa.float64(),
            "summands of loss_before of tokens that all candidate answers begin and end with; null "
            "for generation",
        ),
        _field("format_after", pa.float64(), "the same of loss_after"),
        _field("content_before", pa.float64(), "the other summands of loss_before, which decide"),
        _field("content_after", pa.float64(), "the same of loss_after"),
        _field("gradient_norm", pa.float64(), "of L before; 0 at a minimum"),
        _field("change_norm", pa.float64(), "norm of the change d of all parameters"),
        _field("linear_term", pa.float64(), "<gradient, d>; equation 3 takes it for 0"),
        _field("quadratic_form", pa.float64(), "d'Hd / 2, what equation 3 keeps"),
        _field(
            "mean_quadratic",
            pa.float64(),
            "the mean of d'H(t)d over the way t from 0 to 1, without the half: <gradient after - "
            "gradient before, d>; null where the path is not looked at",
        ),
        _field(
            "path_increase",
            pa.float64(),
            "the increase by equation 3 along the path: sum of w <gradient at t, d> over nodes t; "
            "it recovers loss_increase however long d is; null likewise",
        ),
        _field("path_points", pa.int64(), "these nodes, of Gauss and Legendre; 0 for no path"),
        _field("spectral_radius", pa.float64(), "of H, the Hessian of L before"),
        _field("bound", pa.float64(), "spectral radius x change_norm^2 / 2 (equation 4)"),
        _field("num_samples", pa.int64(), "training examples in the loss"),
        _field("num_tokens", pa.int64(), "answer tokens in the loss"),
        _field("reduction", pa.string(), "as in the table 'curvature'"),
        _field("provenance_seconds", pa.float64(), "wall time of the measurement"),
    ],
    "validation": [
        *_SCORED,
        _field("num_examples", pa.int64(), "validation rows scored"),
        _field("num_correct", pa.int64(), "validation rows answered rightly"),
        _field("accuracy", pa.float64(), "by which the first stage's settings are chosen"),
    ],
    "steps": [
        *_COMMON,
        _field("step", pa.int64(), "optimizer step, from 1"),
        _field("loss", pa.float64(), "mean over the global batch's answer tokens"),
        _field(
            "loss_format",
            pa.float64(),
            "its summands of tokens that all of a row's candidate answers begin and end with; null "
            "where a row has no candidates",
        ),
        _field("loss_content", pa.float64(), "its other summands, which decide; null likewise"),
        _field("learning_rate", pa.float64(), "used in this step"),
        _field("gradient_norm", pa.float64(), "of the whole gradient, before clipping"),
        _field("update_norm", pa.float64(), "of the change of all parameters in this step"),
        _field("num_tokens", pa.int64(), "tokens of the global batch, without padding"),
        _field("num_answer_tokens", pa.int64(), "of those, tokens of the loss"),
        _field("provenance_tokens_per_second", pa.float64(), "throughput of the step"),
    ],
    "measurements": [
        *_MEASURED,
        _field("measurement", pa.string(), "of one's own, by its name"),
        _field("quantity", pa.string(), "the number that it gives; its package says the meaning"),
        _field("value", pa.float64(), "the number; null where it is not defined"),
        _field("provenance_seconds", pa.float64(), "wall time of the measurement"),
    ],
    "study": [
        _field("sweep", pa.string(), "name of the sweep and digest of its settings"),
        _field("number", pa.int64(), "of the proposal, in the order in which Optuna made them"),
        _field("trial", pa.string(), "the trial that was proposed; two proposals may be equal"),
        _field("params", pa.string(), "what Optuna chose, as JSON"),
        _field("state", pa.string(), "'running', 'complete', 'pruned' (stopped early) or 'fail'"),
        _field("objective", pa.string(), "a metric after the last stage"),
        _field("mode", pa.string(), "'min' or 'max'"),
        _field("value", pa.float64(), "the metric; null unless complete"),
        _field("is_best", pa.bool_(), "whether no other trial is better in all objectives"),
    ],
}
SCHEMAS: dict[str, pa.Schema] = {name: pa.schema(fields) for name, fields in _TABLES.items()}
TRIAL_TABLES = tuple(name for name in SCHEMAS if name != "study")
"""The tables with one file per trial; that of an Optuna study is one file."""

ONE_TRIAL = ("trial", "seed", "data_seed", "stage_key")
_CHAIN = [
    *(field for field in _COMMON if field.name not in ONE_TRIAL),
    _field("seeds", pa.list_(pa.int64()), "of the trials that are put together"),
    _field("data_seeds", pa.list_(pa.int64()), "of each of these, in the same order"),
    *_SCORED[len(_COMMON) :],
    _LEARNED_AT,
]


def _over_seeds(name: str, meaning: str) -> list[pa.Field]:
    """A quantity's mean over seeds and what is known of it."""
    return [
        _field(name, pa.float64(), f"{meaning}; mean over seeds"),
        _field(f"{name}_deviation", pa.float64(), "its sample standard deviation over seeds"),
        _field(f"{name}_low", pa.float64(), "lower end of its 95 % t interval; null for one seed"),
        _field(f"{name}_high", pa.float64(), "upper end"),
        _field(f"{name}_by_seed", pa.list_(pa.float64()), "of each seed"),
    ]


_SUMMARISED = {
    "average_accuracy": "over learned tasks, after the last stage",
    "average_forgetting": "of tasks learned before the last stage, since each was known best "
    "(Chaudhry et al., 2018); larger is worse",
    "backward_transfer": "of these tasks, since each was learned: - the mean of equation 1; less "
    "is worse",
    "forward_transfer": "of tasks learned later than in the first stage: accuracy right before "
    "that - the base model's; null where that is not measured",
}
DERIVED: dict[str, pa.Schema] = {
    "answers": pa.schema(
        [
            *_SCORED,
            _field("group", pa.string(), "demographic group, or 'overall'"),
            _field("answer", pa.string(), "one of the task's answers"),
            _field("num_examples", pa.int64(), "test rows for which it is right"),
            _field("num_correct", pa.int64(), "of these those that got it"),
            _field("accuracy", pa.float64(), "num_correct / num_examples"),
            _field("num_given", pa.int64(), "test rows that got it, rightly or not"),
            _field("share_given", pa.float64(), "of the group's rows: 1 where all get one answer"),
            _LEARNED_AT,
            _field("forgetting", pa.float64(), "accuracy after that stage - accuracy; else null"),
        ]
    ),
    "transitions": pa.schema(
        [
            *_SCORED,
            _field("group", pa.string(), "demographic group, or 'overall'"),
            _LEARNED_AT,
            _field("num_examples", pa.int64(), "test rows scored then and now"),
            _field("num_lost", pa.int64(), "right then, wrong now"),
            _field("num_gained", pa.int64(), "wrong then, right now"),
            _field("num_kept", pa.int64(), "right both times"),
            _field("num_never", pa.int64(), "wrong both times"),
            _field(
                "chance_adjusted_forgetting",
                pa.float64(),
                "forgetting / (accuracy then - chance): 1 at chance; null where none was above it",
            ),
        ]
    ),
    "calibration": pa.schema(
        [
            *_SCORED,
            _field("group", pa.string(), "demographic group, or 'overall'"),
            _field("num_examples", pa.int64(), "test rows with given answers"),
            _field("accuracy", pa.float64(), "of these"),
            _field("mean_probability", pa.float64(), "of the right answer, among the candidates"),
            _field("mean_confidence", pa.float64(), "of the answer given, among the candidates"),
            _field(
                "calibration_error",
                pa.float64(),
                "mean |accuracy - confidence| over ten bins of confidence, weighted by their rows",
            ),
        ]
    ),
    "chain_summary": pa.schema(
        [
            *(field for field in _CHAIN if field.name in ("sweep", "chain", "settings")),
            *(field for field in _CHAIN if field.name in ("learning_rates", "seeds", "data_seeds")),
            *(field for named in _SUMMARISED.items() for field in _over_seeds(*named)),
        ]
    ),
    "chain_unevenness": pa.schema([*_CHAIN, *_UNEVEN]),
    "group_effects": pa.schema(
        [
            *_CHAIN,
            _field("group", pa.string(), "demographic group"),
            _field("num_examples", pa.int64(), "its test rows"),
            _field("is_small", pa.bool_(), "whether it has fewer than 30: not to be relied on"),
            _field("forgetting", pa.float64(), "mean over seeds and data seeds (equation 1)"),
            _field("biased_forgetting", pa.float64(), "the same (equation 2)"),
            _field(
                "biased_error",
                pa.float64(),
                "its standard error over test rows and both kinds of seeds",
            ),
            _field("biased_low", pa.float64(), "lower end of its 95 % interval"),
            _field("biased_high", pa.float64(), "upper end"),
            _field("standardised", pa.float64(), "the same if all groups had the same answers"),
            _field("standardised_error", pa.float64(), "its standard error"),
            _field("standardised_low", pa.float64(), "lower end of its 95 % interval"),
            _field("standardised_high", pa.float64(), "upper end"),
            _field("shrunken", pa.float64(), "standardised, drawn towards 0 by its noise"),
            _field("p", pa.float64(), "of no difference, standardised: of this group alone"),
            _field("p_holm", pa.float64(), "corrected for all rows of this table (family-wise)"),
            _field("p_bh", pa.float64(), "corrected for all rows (rate of false discoveries)"),
        ]
    ),
}
"""Tables that are made from the others when they are asked for.

`chain_summary`, `chain_unevenness` and `group_effects` are over the seeds and data seeds of a
chain. An error of one trial is of its test rows alone: another training may differ by more, and so
may another draw of the data where all trials have one.
"""
