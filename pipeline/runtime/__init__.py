"""What every function needs around its work: environment, deadline, secrets, metrics, log."""
