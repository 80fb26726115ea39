"""From settings to a cloud assembly: the app, the assets, the hash of their inputs."""
