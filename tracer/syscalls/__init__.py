"""What is known about system calls: names, arguments, classes, and what the probes keep of each.

names       numbers <-> names of x86-64 and arm64, native and 32-bit
signatures  argument names and kinds; which arguments a detail record holds, and how to read them back
calls_*     the table behind signatures, one line per call
classes     strace's classes and its -e syntax
plans       all of it as the bytes of the kernel's plan map
errnos      error numbers by name

Nothing is imported here: `ebtrace run` needs only the plans before its target starts.
"""
