-- Envelopes of which a replay was delivered, and whether something of them was rejected. Of an event
-- that is on two lines, the later object counts, as in hour.sql. The ledger is read twice, so that
-- no more is kept of it than what was replayed. `also` are replays that it lacks.
WITH redelivered AS (
  SELECT DISTINCT split_part(split_part(id, '#', 1), '@', 1) AS envelope
  FROM (
    SELECT id, max_by(outcome, "$path") AS outcome
    FROM ledger
    WHERE {hours} AND strpos(id, '@') > 0
    GROUP BY shard_id, sequence_number, id
  ) AS replayed
  WHERE outcome IN ('delivered', 'duplicate')
  UNION
  SELECT url_decode(name) FROM (VALUES {also}) AS also (name)
)
SELECT url_encode(split_part(split_part(id, '#', 1), '@', 1)) AS envelope,
  bool_or(outcome = 'rejected') AS unresolved
FROM (
  SELECT id, max_by(outcome, "$path") AS outcome
  FROM ledger
  WHERE {hours}
    AND split_part(split_part(id, '#', 1), '@', 1) IN (SELECT envelope FROM redelivered)
  GROUP BY shard_id, sequence_number, id
) AS told
GROUP BY 1
