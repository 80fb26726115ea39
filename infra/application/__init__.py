"""The application stack: one construct for each capability."""
