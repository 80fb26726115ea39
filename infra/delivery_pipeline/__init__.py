"""The CodePipeline that deploys the stages, and what it checks on the way."""
