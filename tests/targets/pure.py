"""One GET over a TLS that is written in Python alone, which no probe can read: pure.py PORT TARGET. Prints the bytes of the answer."""

import socket
import sys

from tlslite.api import TLSConnection

connection = TLSConnection(socket.create_connection(("localhost", int(sys.argv[1]))))
connection.handshakeClientCert(serverName="localhost")
connection.sendall(f"GET {sys.argv[2]} HTTP/1.1\r\nHost: localhost:{sys.argv[1]}\r\nConnection: close\r\n\r\n".encode())
read = 0
while data := connection.recv(65536):
    read += len(data)
print(read)
