"""`make deploy-check`: what can be known of a deployment without an account, as tables."""
