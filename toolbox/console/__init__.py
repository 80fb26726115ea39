"""The console: pages in a browser, over the functions that the commands use."""
