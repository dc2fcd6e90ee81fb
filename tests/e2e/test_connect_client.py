#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""`sockward connect` against python3-websockets: a server that sockward did not write."""
import asyncio
import contextlib
import hashlib
import os
import random
import socket
import sys
import threading

try:
    import websockets
except ImportError:
    print("1..0 # SKIP python3-websockets is not installed")
    sys.exit(0)

SOCKWARD = os.path.join(os.environ.get("SOCKWARD_BUILD", "build"), "sockward")
SEED = int.from_bytes(os.urandom(4), "big")
random.seed(SEED)
seen = {}


async def serve(ws, path=None):
    """Clients that leave in the middle are part of the test."""
    with contextlib.suppress(websockets.ConnectionClosed):
        await answer(ws)


async def answer(ws):
    path = ws.path.split("?")[0]
    seen.update(path=ws.path, origin=ws.request_headers.get("Origin"),
                offered=ws.request_headers.get("Sec-WebSocket-Protocol"))
    if path == "/echo":
        async for message in ws:
            await ws.send(message)
    elif path == "/source":
        digest = hashlib.sha256()
        for _ in range(200):
            block = random.randbytes(random.randint(1, 150000))
            digest.update(block)
            await ws.send(block)
        seen["digest"] = digest.hexdigest()
        await ws.send(b"")
        async for message in ws:
            seen["after"] = message
            if message == b"":
                break
    elif path == "/pieces":
        await ws.ping(b"in between")
        await ws.send([b"ab", b"", b"cd"])
        await ws.send(b"")
        async for message in ws:
            pass
    elif path == "/refuse":
        await ws.close(4003, "no-rule: \x1b[31mred")
    elif path == "/drop":
        await ws.send(b"abc")
        ws.transport.abort()
    elif path == "/bye":
        await ws.send(b"bye")
        await ws.send(b"")
        await ws.close(1000)


async def connect(args, data=b"", env=None):
    process = await asyncio.create_subprocess_exec(
        SOCKWARD, "connect", *args, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ, **(env or {})))
    out, err = await asyncio.wait_for(process.communicate(data), 60)
    return process.returncode, out, err.decode()


async def echo(base):
    data = random.randbytes(20_000_000)
    status, out, err = await connect([base + "/echo"], data)
    assert (status, err) == (0, ""), (status, err)
    assert hashlib.sha256(out).digest() == hashlib.sha256(data).digest()
    assert seen["path"] == "/echo?eof=message" and seen["origin"] is None, seen
    assert seen["offered"] == "binary", seen


async def nothing(base):
    assert await connect([base + "/echo"]) == (0, b"", "")


async def token_and_origin(base):
    await connect([base + "/echo?a=b", "--token", "abc~~?", "--origin", "https://a.example"])
    assert seen["path"] == "/echo?a=b&eof=message", seen
    assert seen["origin"] == "https://a.example", seen
    assert seen["offered"] == "binary, auth.YWJjfn4_", seen


async def token_of_the_environment(base):
    await connect([base + "/echo"], env={"SOCKWARD_TOKEN": "x"})
    assert seen["offered"] == "binary, auth.eA", seen


async def half_close_by_the_server(base):
    """The end of output is seen while input is still open; then input goes on."""
    process = await asyncio.create_subprocess_exec(
        SOCKWARD, "connect", base + "/source", stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE)
    digest = hashlib.sha256()
    while block := await asyncio.wait_for(process.stdout.read(65536), 20):
        digest.update(block)
    assert digest.hexdigest() == seen["digest"]
    assert process.returncode is None
    process.stdin.write(b"more")
    await process.stdin.drain()
    while seen.get("after") != b"more":
        await asyncio.sleep(0.01)
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert seen["after"] == b""


async def fragments_and_pings(base):
    assert await connect([base + "/pieces"], b"x") == (0, b"abcd", "")


async def refused(base):
    status, out, err = await connect([base + "/refuse"], b"x")
    assert status == 1 and out == b"" and "4003" in err and "no-rule" in err, err
    assert "\x1b" not in err


async def connection_lost(base):
    status, out, err = await connect([base + "/drop"], b"x")
    assert status == 1 and out == b"abc" and "lost" in err, (status, out, err)


async def closed_early(base):
    status, out, err = await connect([base + "/bye"], b"x")
    assert (status, out) == (0, b"bye"), (status, out, err)


async def output_closed(base):
    process = await asyncio.create_subprocess_shell(
        f"'{SOCKWARD}' connect {base}/source </dev/null 2>/dev/null | head -c 9 >/dev/null;"
        " echo ${PIPESTATUS[0]}", stdout=asyncio.subprocess.PIPE, executable="/bin/bash")
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    assert out == b"1\n", out


async def wrong_usage(_):
    for args in ([], ["http://a/"], ["wss://a/"], ["ws://a/", "ws://b/"], ["--what", "ws://a/"],
                 ["ws://a/", "--token"], ["ws://a/", "--origin", "a\r\nb: c"]):
        status, out, err = await connect(args)
        assert status == 2 and out == b"" and "Try" in err, (args, status, err)


async def no_server(_):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        status, _, err = await connect(["ws://127.0.0.1:%d/" % unused.getsockname()[1]])
    assert status == 1 and "refused" in err, err


async def bad_answers(_):
    for text in (b"", b"HTTP/1.1 404 \x1b[31mNo\r\n\r\n", b"x" * 20000, b"HTTP/1.1 101",
                   b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n"):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()

            def once():
                client, _ = server.accept()
                client.recv(8192)
                with client, contextlib.suppress(OSError):
                    client.sendall(text)
                    client.shutdown(socket.SHUT_WR)
                    client.recv(8192)

            thread = threading.Thread(target=once)
            thread.start()
            status, out, err = await connect(["ws://127.0.0.1:%d/" % server.getsockname()[1]])
            thread.join(10)
        assert status == 1 and out == b"" and err and "\x1b" not in err, (text, err)


TESTS = [echo, nothing, token_and_origin, token_of_the_environment, half_close_by_the_server,
         fragments_and_pings, refused, connection_lost, closed_early, output_closed, wrong_usage,
         no_server, bad_answers]


async def main():
    failed = 0
    server = await websockets.serve(serve, "127.0.0.1", 0, subprotocols=["binary"],
                                    max_size=None, compression=None)
    base = "ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]
    print(f"1..{len(TESTS)}\n# seed {SEED}")
    for number, test in enumerate(TESTS, 1):
        try:
            await asyncio.wait_for(test(base), 90)
            print(f"ok {number} - {test.__name__}", flush=True)
        except Exception as wrong:  # one test's failure is that test's
            failed += 1
            print(f"not ok {number} - {test.__name__}\n# {wrong!r}", flush=True)
    server.close()
    return 1 if failed else 0


sys.exit(asyncio.run(main()))
