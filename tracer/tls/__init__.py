"""Where the functions that read and write TLS plaintext are in an ELF file: by symbol, by error site, or by Go's own tables."""
