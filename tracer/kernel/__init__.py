"""The bridge to the kernel: compile, load and attach the probes, reach their maps and rings."""
