"""The capture side of ebtrace: load, drain, decode, name, decide, write."""

__version__ = "0.1.0"
