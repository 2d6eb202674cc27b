"""The scribe: a process without privileges that reads plaintext out of the kernel's ring and hands on what may be written.

Hostile bytes are parsed here and nowhere else, and secrets are taken out before anything leaves.
"""
