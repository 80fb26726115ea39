"""The load test on this machine: a pipeline of its own, locust, and the proof of delivery."""
