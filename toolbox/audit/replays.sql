-- The events of requests of which a replay was delivered: whether the event itself was, and whether it
-- was rejected. Of an event that is on two lines, the later object counts, as in hour.sql. The ledger
-- is read twice, so that no more is kept of it than what was replayed. `also` are replays that it
-- lacks. The name of an event is its id without the job.
WITH redelivered AS (
  SELECT split_part(split_part(id, '#', 1), '@', 1) AS envelope,
    split_part(split_part(id, '#', 1), '@', 1)
      || CASE WHEN strpos(id, '#') > 0 THEN '#' || split_part(id, '#', 2) ELSE '' END AS event
  FROM (
    SELECT id, max_by(outcome, "$path") AS outcome
    FROM ledger
    WHERE {hours} AND strpos(id, '@') > 0
    GROUP BY shard_id, sequence_number, id
  ) AS replayed
  WHERE outcome IN ('delivered', 'duplicate')
  UNION
  SELECT url_decode(name), url_decode(name) FROM (VALUES {also}) AS also (name)
)
SELECT url_encode(event) AS event, bool_or(redelivered) AS redelivered,
  bool_or(unresolved) AS unresolved
FROM (
  SELECT event, true AS redelivered, false AS unresolved FROM redelivered
  UNION ALL
  SELECT split_part(split_part(id, '#', 1), '@', 1)
      || CASE WHEN strpos(id, '#') > 0 THEN '#' || split_part(id, '#', 2) ELSE '' END,
    false, outcome = 'rejected'
  FROM (
    SELECT id, max_by(outcome, "$path") AS outcome
    FROM ledger
    WHERE {hours}
      AND split_part(split_part(id, '#', 1), '@', 1) IN (SELECT envelope FROM redelivered)
    GROUP BY shard_id, sequence_number, id
  ) AS told
) AS both_sides
GROUP BY event
HAVING bool_or(redelivered) OR bool_or(unresolved)
