"""What is fast, measured against what: `make bench`. It reports; it fails only when something does not work."""
