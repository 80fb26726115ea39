"""Requests that somebody caught, in a browser, a proxy or a shell: to a source's folder."""
