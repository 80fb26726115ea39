"""The tickets of the dead-letter queue, and what their objects hold."""
