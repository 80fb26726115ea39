"""What an account has to have before a deployment: asked of AWS, changed nowhere."""
