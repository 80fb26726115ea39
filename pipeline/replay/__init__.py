"""What is in the archive goes on the stream again: filtered, paced, resumable."""
