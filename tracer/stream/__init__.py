"""From the rings to the session file: drain, decode, count, write."""
