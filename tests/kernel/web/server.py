"""A web server for tests: HTTP/1, HTTP/2 and WebSocket, over TLS or in clear, in a thread of the test itself. It logs all it says and hears."""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import suppress

from tests.kernel.support import wait_until
from tests.kernel.web.http1 import http1
from tests.kernel.web.http2 import http2
from tests.kernel.web.log import Logged, Reply
from tests.kernel.web.routes import reply_to

__all__ = ("Server",)

_HEAD_LIMIT = 1 << 20  # bytes of a request's headers
_BACKLOG = 1024


class Server:
    """Serves within a `with` block. HTTP/2 is spoken where the client asks for it in the TLS handshake; or, in clear, ``as_http2``."""

    def __init__(self, context: ssl.SSLContext | None, *, as_http2: bool = False) -> None:
        self.scheme = "https" if context else "http"
        self.port = 0
        self.log: list[Logged] = []
        self.faults: list[BaseException] = []  # of the server itself: a test that has one proves nothing
        self._context, self._as_http2 = context, as_http2
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._connections = 0
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    def begin(self, logged: Logged) -> Logged:
        """Takes an exchange into the log and gives it its number."""
        self.log.append(logged)
        logged.number = len(self.log)
        return logged

    def reply(self, logged: Logged) -> Reply:
        reply = reply_to(logged.method, logged.target, logged.headers, logged.body)
        logged.told = reply.told
        return reply

    def quiet(self) -> list[Logged]:
        """The log when all that was begun has been answered."""
        wait_until(lambda: all(logged.ended for logged in self.log))
        assert self.faults == []
        return self.log

    def __enter__(self) -> Server:
        self._thread.start()
        wait_until(lambda: self.port)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context, limit=_HEAD_LIMIT, backlog=_BACKLOG))
        self.port = self._server.sockets[0].getsockname()[1]
        self._loop.run_forever()

    async def _stop(self) -> None:
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        self._open.add(writer)
        secured = writer.get_extra_info("ssl_object")
        as_http2 = secured.selected_alpn_protocol() == "h2" if secured else self._as_http2
        try:
            await (http2 if as_http2 else http1)(self, self._connections, reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass  # the client, or the test, has gone
        except Exception as error:
            self.faults.append(error)
        finally:
            self._open.discard(writer)
            with suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                writer.close()
                await writer.wait_closed()
