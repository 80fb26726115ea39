"""What a deployment costs, and what it takes of AWS's limits: arithmetic, no measurement."""
