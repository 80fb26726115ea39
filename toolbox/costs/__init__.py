"""What a rate of events costs on AWS, and what it needs of its quotas."""
