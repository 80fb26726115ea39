"""What happens to a request before it is an event: who may send it, and what it is answered."""
