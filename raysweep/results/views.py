"""Tables that are a question to other tables, asked when somebody reads them."""

from __future__ import annotations

COMMON = """sweep, trial, chain, seed, settings, learning_rates, stage, stage_task, stage_key,
           task, title, kind, scoring"""

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

VIEWS = {"answers": ANSWERS}
"""SQL of each table."""
