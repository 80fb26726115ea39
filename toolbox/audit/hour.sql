-- The events that arrived in one hour: counted where both sides of the archive have them, row by row
-- where one side lacks them. Each line is read once, because Trino reads a part of a WITH clause
-- again for each place that names it: nothing is joined, the lines of both sides are grouped by
-- request, and what a request has is told by windows over it. Text that a sender can choose is
-- URL-encoded, so the answer's CSV needs no rules for quotes and line ends. What numbers may be is
-- what `pipeline.archive.line_fields` and `ledger` take.
WITH lines AS (
  SELECT
    CASE WHEN id IS NOT NULL AND regexp_like(sequence_number, '^[0-9]{1,128}$')
        AND try(from_iso8601_timestamp(arrived)) IS NOT NULL
      THEN 'raw' ELSE 'unreadable' END AS kind,
    source, shard_id, sequence_number, id, id AS request, '' AS outcome, '' AS reason,
    0 AS elements, arrived, "$path" AS path
  FROM raw
  WHERE {hour}
  UNION ALL
  SELECT
    CASE WHEN id IS NOT NULL AND regexp_like(sequence_number, '^[0-9]{1,128}$')
        AND try(from_iso8601_timestamp(arrived)) IS NOT NULL AND source IS NOT NULL
        AND outcome IN ('delivered', 'duplicate', 'rejected', 'ignored')
        AND coalesce(elements, 0) BETWEEN 0 AND 99999999
      THEN 'ledger' ELSE 'unreadable' END,
    source, shard_id, sequence_number, id, split_part(id, '#', 1), outcome, coalesce(reason, ''),
    coalesce(elements, 0), arrived, "$path"
  FROM ledger
  WHERE {hour}
),
-- The same line can be there twice, when a batch was tried again in other parts: the later object
-- counts. Lines that nobody can read are counted by object.
events AS (
  SELECT kind, shard_id, sequence_number, request, id, max_by(source, path) AS source,
    max_by(outcome, path) AS outcome, max_by(reason, path) AS reason,
    max_by(elements, path) AS elements, max_by(arrived, path) AS arrived, max(path) AS path,
    count(*) AS lines
  FROM (
    SELECT kind, shard_id, sequence_number, source, outcome, reason, elements, arrived, path,
      CASE WHEN kind = 'unreadable' THEN path ELSE request END AS request,
      CASE WHEN kind = 'unreadable' THEN path ELSE id END AS id
    FROM lines
  ) AS told
  GROUP BY kind, shard_id, sequence_number, request, id
),
judged AS (
  SELECT kind, shard_id, sequence_number, request, id, source, outcome, reason, arrived, path, lines,
    bool_or(kind = 'raw') OVER (PARTITION BY shard_id, sequence_number, request) AS archived,
    count_if(kind = 'ledger') OVER (PARTITION BY shard_id, sequence_number, request) AS settled,
    max(elements) OVER (PARTITION BY shard_id, sequence_number, request) AS wanted,
    min(id) OVER (PARTITION BY shard_id, sequence_number, request) AS first_id
  FROM events
),
named AS (
  SELECT
    CASE
      WHEN kind = 'unreadable' THEN 'unreadable'
      WHEN kind = 'raw' AND settled = 0 THEN 'unaccounted'
      WHEN kind = 'raw' AND wanted > settled THEN 'short'
      WHEN kind = 'raw' THEN 'accounted'
      WHEN archived OR id <> first_id THEN 'settled'
      ELSE 'unarchived'
    END AS what,
    CASE
      WHEN kind = 'unreadable' THEN lines
      WHEN kind = 'raw' AND settled > 0 THEN wanted - settled
      ELSE 1
    END AS number,
    shard_id, sequence_number, id, source, outcome, reason, arrived, path
  FROM judged
)
SELECT what, sum(number) AS events, url_encode(coalesce(source, '')) AS source, outcome,
  url_encode(reason) AS reason, strpos(id, '@') > 0 AS replayed,
  CASE WHEN what <> 'settled' THEN url_encode(shard_id) END AS shard,
  CASE WHEN what <> 'settled' THEN sequence_number END AS sequence_number,
  CASE WHEN what <> 'settled' THEN url_encode(id) END AS id,
  CASE WHEN what <> 'settled' THEN arrived END AS arrived,
  CASE WHEN what <> 'settled' THEN url_encode(path) END AS path
FROM named
WHERE what <> 'accounted'
GROUP BY 1, 3, 4, 5, 6, 7, 8, 9, 10, 11
