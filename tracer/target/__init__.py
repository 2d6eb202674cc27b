"""The traced program: how it is found, held, started, signalled and left alone, and as which user it runs."""
