"""Secrets are taken out before anything reaches disk: by name, by shape and by value; the same secret is the same tag everywhere."""
