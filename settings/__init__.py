"""The settings of a build: a stage, the delivery pipeline, a source. One reader, clear faults."""
