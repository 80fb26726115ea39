"""What operators and developers run: the command line and all that it stands on."""
