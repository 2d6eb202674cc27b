"""The session file: what a trace leaves behind. The only thing that the capturing and the reading side share."""
