"""Sends bytes over TLS as they are told, and reads to the end: raw.py PORT AUTHORITY.pem FILE.json [wait]

FILE: a list of connections, each {"alpn": [...], "pieces": ["latin-1 text", ...], "leave": false}; each piece is one call of SSL_write. It is
left at once, or read to its end.
Prints the bytes that came back, for each connection. With "wait" it then says ready, and waits for a byte on stdin.
"""

import json
import os
import socket
import ssl
import sys

port, authority, file = sys.argv[1:4]
with open(file) as opened:
    connections = json.load(opened)
for told in connections:
    context = ssl.create_default_context(cafile=authority)
    if told.get("alpn"):
        context.set_alpn_protocols(told["alpn"])
    read = 0
    with socket.create_connection(("localhost", int(port))) as plain:
        connection = context.wrap_socket(plain, server_hostname="localhost")
        try:
            for piece in told["pieces"]:
                connection.sendall(piece.encode("latin-1"))
            while not told.get("leave") and (data := connection.recv(65536)):
                read += len(data)
        except (ConnectionError, ssl.SSLError):
            pass
    print(read, flush=True)
if sys.argv[4:] == ["wait"]:
    print(f"ready {os.getpid()}", flush=True)
    sys.stdin.read(1)
