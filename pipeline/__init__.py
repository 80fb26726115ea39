"""What ships in a Lambda function, and nothing else."""
