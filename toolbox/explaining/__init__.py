"""One event's way through a deployment: what archive, ledger, table, queues and logs know of it."""
