"""AWS calls of the hot path: signed and sent without boto3, behind the same small interface."""
