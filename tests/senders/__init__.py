"""The table of senders: who they are, and that each is taken in by a folder of settings.

A sender is a row of `table.yaml`, a folder of its id with `source.yaml` (none where a built-in
source takes it in) and `samples/`, and a maker in `signing/`, which writes `samples/event.yaml`:
`make senders SIGN=1`, or `python -m tests.senders.signing <id>` with the libraries of
requirements-senders.lock on the path. Other samples, such as handshakes, are written by hand.

Who signed a request is another than who checks it: the sender's own library, its documented
example, or else a few lines in `signing/` that know nothing of the pipeline. `signing/` has no
secrets: whatever signs there is for tests alone.
"""
