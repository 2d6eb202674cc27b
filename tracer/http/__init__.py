"""Plaintext of both directions of many connections in, HTTP exchanges out. It watches, it takes no part, and it trusts no byte."""
