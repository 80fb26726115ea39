"""CDK: what runs on AWS."""
