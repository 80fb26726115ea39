"""The demo: real webhooks through the local pipeline, and an account of each."""
