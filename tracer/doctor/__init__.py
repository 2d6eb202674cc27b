"""What this host can do: every capability is tried, none is read off a version number."""
