"""The batch: what was delivered before, what SQS takes, what is settled and may be acknowledged."""
