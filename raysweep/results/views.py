"""Tables that are a question to other tables, asked when somebody reads them."""

from __future__ import annotations

COMMON = """sweep, trial, chain, seed, data_seed, settings, learning_rates, stage, stage_task,
           stage_key, task, title, kind, scoring"""

ANSWERS = f"""
    WITH of_groups AS (
        SELECT {COMMON}, unnest(list_append(groups, 'overall')) AS "group", answer, prediction,
               correct
        FROM predictions WHERE len(log_probabilities) > 0
    ),
    marked AS (
        SELECT * EXCLUDE (prediction, correct), 1 AS is_right, correct::INT AS is_hit, 0 AS is_given
        FROM of_groups
        UNION ALL
        SELECT * EXCLUDE (prediction, correct) REPLACE (prediction AS answer), 0, 0, 1
        FROM of_groups
    ),
    counted AS (
        SELECT * EXCLUDE (is_right, is_hit, is_given), sum(is_right)::BIGINT AS num_examples,
               sum(is_hit)::BIGINT AS num_correct,
               num_correct / nullif(num_examples, 0) AS accuracy,
               sum(is_given)::BIGINT AS num_given
        FROM marked GROUP BY ALL
    ),
    learned AS (SELECT DISTINCT trial, task, learned_at FROM forgetting)
    SELECT {COMMON}, "group", answer, num_examples, num_correct, counted.accuracy, num_given,
           num_given / sum(num_given) OVER (PARTITION BY trial, stage, task, "group")
               AS share_given,
           learned_at,
           CASE WHEN stage > learned_at THEN earlier.accuracy - counted.accuracy END AS forgetting
    FROM counted LEFT JOIN learned USING (trial, task)
         LEFT JOIN (SELECT trial, task, stage AS learned_at, "group", answer, accuracy FROM counted)
                   AS earlier USING (trial, task, learned_at, "group", answer)
"""

TRANSITIONS = f"""
    WITH own AS (
        SELECT {COMMON}, learned_at, example_id, groups, correct
        FROM predictions
             JOIN (SELECT DISTINCT trial, task, learned_at FROM forgetting) USING (trial, task)
    ),
    of_groups AS (
        SELECT later.*, unnest(list_append(later.groups, 'overall')) AS "group",
               earlier.correct AS was_correct
        FROM own AS later JOIN own AS earlier USING (trial, task, example_id)
        WHERE earlier.stage = earlier.learned_at AND later.stage > later.learned_at
    ),
    counted AS (
        SELECT {COMMON}, "group", learned_at, count(*) AS num_examples,
               count(*) FILTER (was_correct AND NOT correct) AS num_lost,
               count(*) FILTER (NOT was_correct AND correct) AS num_gained,
               count(*) FILTER (was_correct AND correct) AS num_kept,
               count(*) FILTER (NOT was_correct AND NOT correct) AS num_never
        FROM of_groups GROUP BY ALL
    ),
    chances AS (SELECT DISTINCT trial, task, chance FROM evaluations)
    SELECT {COMMON}, "group", learned_at, num_examples, num_lost, num_gained, num_kept, num_never,
           CASE WHEN (num_lost + num_kept) / num_examples > chance
                THEN (num_lost - num_gained) / (num_lost + num_kept - chance * num_examples)
           END AS chance_adjusted_forgetting
    FROM counted LEFT JOIN chances USING (trial, task)
"""

CONFIDENCES = f"""
    SELECT {COMMON}, example_id, groups, correct, list_max(log_probabilities) AS top,
           list_sum(list_transform(log_probabilities, lambda x: exp(x - top))) AS others,
           1 / others AS confidence,
           exp(log_probability_format + log_probability_content - top) / others AS probability
    FROM predictions WHERE len(log_probabilities) > 0
"""
"""Of each row of a task with given answers: that given, and the right one, among all of them."""

CALIBRATION = f"""
    WITH scored AS (
        SELECT * EXCLUDE groups, unnest(list_append(groups, 'overall')) AS "group"
        FROM ({CONFIDENCES})
    ),
    binned AS (
        SELECT {COMMON}, "group", least(floor(10 * confidence), 9) AS bin, count(*) AS number,
               abs(sum(correct::INT) - sum(confidence)) AS gap, sum(correct::INT) AS num_correct,
               sum(confidence) AS confidence, sum(probability) AS probability
        FROM scored GROUP BY ALL
    )
    SELECT {COMMON}, "group", sum(number)::BIGINT AS num_examples,
           sum(num_correct) / sum(number) AS accuracy,
           sum(probability) / sum(number) AS mean_probability,
           sum(confidence) / sum(number) AS mean_confidence,
           sum(gap) / sum(number) AS calibration_error
    FROM binned GROUP BY ALL
"""

VIEWS = {"answers": ANSWERS, "transitions": TRANSITIONS, "calibration": CALIBRATION}
"""SQL of each table."""
