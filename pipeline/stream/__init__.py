"""The stream: records in, user records out; user records in, aggregates on shards out."""
