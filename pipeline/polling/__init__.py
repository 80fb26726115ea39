"""Fetches feeds of REST APIs and puts their events on the stream."""
