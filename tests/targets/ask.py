"""Makes the requests of a plan in the ways of Python: ask.py WAY PLAN.json AUTHORITY.pem. Prints the bytes it has read.

urllib      one connection for each request
client      http.client, all on one connection
threads     http.client, one thread and one connection for each request, all open before any is used
asyncio     the same in one thread, TLS through memory BIOs: the library never sees a socket
httpx       httpx over HTTP/2, one after the other
httpx-all   the same all at once, on one connection
"""

import asyncio
import http.client
import json
import ssl
import sys
import threading
import urllib.request
from urllib.parse import urlsplit

way, file, authority = sys.argv[1:]
with open(file) as opened:
    plan = json.load(opened)
trust = ssl.create_default_context(cafile=authority) if authority else None


def coded(body):
    return None if body is None else body.encode()


def connect(url):
    split = urlsplit(url)
    kind = http.client.HTTPSConnection if split.scheme == "https" else http.client.HTTPConnection
    return kind(split.hostname, split.port, **({"context": trust} if split.scheme == "https" else {}))


def target_of(split):
    return split.path + (f"?{split.query}" if split.query else "")


def on(connection, asked):
    connection.request(asked["method"], target_of(urlsplit(asked["url"])), coded(asked["body"]), asked["headers"])
    return len(connection.getresponse().read())


def by_urllib():
    total = 0
    for asked in plan:
        request = urllib.request.Request(asked["url"], coded(asked["body"]), asked["headers"], method=asked["method"])
        with urllib.request.urlopen(request, context=trust) as response:
            total += len(response.read())
    return total


def by_client():
    connection = connect(plan[0]["url"])
    return sum(on(connection, asked) for asked in plan)


def by_threads():
    sizes, ready = [], threading.Barrier(len(plan))

    def one(asked):
        connection = connect(asked["url"])
        connection.connect()
        ready.wait()
        sizes.append(on(connection, asked))

    threads = [threading.Thread(target=one, args=(asked,)) for asked in plan]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(sizes)


async def by_asyncio():
    async def opened(asked):
        split = urlsplit(asked["url"])
        return split, await asyncio.open_connection(split.hostname, split.port, ssl=trust)

    async def one(asked, split, reader, writer):
        body = coded(asked["body"]) or b""
        lines = [f"{asked['method']} {target_of(split)} HTTP/1.1", f"Host: {split.netloc}", "Connection: close", f"Content-Length: {len(body)}"]
        writer.write("\r\n".join([*lines, *(f"{name}: {value}" for name, value in asked["headers"].items()), "", ""]).encode() + body)
        answer = await reader.read()
        writer.close()
        return len(answer.partition(b"\r\n\r\n")[2])

    connections = await asyncio.gather(*map(opened, plan))
    return sum(await asyncio.gather(*(one(asked, split, *pair) for asked, (split, pair) in zip(plan, connections))))


async def by_httpx(together):
    import httpx

    async with httpx.AsyncClient(verify=trust, http2=True, timeout=60) as client:
        async def one(asked):
            return len((await client.request(asked["method"], asked["url"], content=coded(asked["body"]), headers=asked["headers"])).content)

        if not together:
            return sum([await one(asked) for asked in plan])
        return await one(plan[0]) + sum(await asyncio.gather(*map(one, plan[1:])))  # the first opens the connection that all share


ways = {"urllib": by_urllib, "client": by_client, "threads": by_threads, "asyncio": lambda: asyncio.run(by_asyncio()),
        "httpx": lambda: asyncio.run(by_httpx(False)), "httpx-all": lambda: asyncio.run(by_httpx(True))}
print(ways[way]())
