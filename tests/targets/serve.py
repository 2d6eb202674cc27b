"""Serves one connection with COUNT requests, each answered with its own body twice: serve.py COUNT [CHAIN.pem KEY.pem]

Says "ready PORT" when it listens.
"""

import http.server
import ssl
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    left = int(sys.argv[1])

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])) * 2
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        Handler.left -= 1
        self.close_connection = not Handler.left

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
if sys.argv[2:]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[2:])
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"ready {server.server_address[1]}", flush=True)
server.handle_request()
server.server_close()
