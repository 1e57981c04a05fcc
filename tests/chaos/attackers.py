"""Those who want the service to be there for no one: `python -m tests.chaos.attackers URL CONVERSATION {"files": 60}`.

A process of its own that comes last on this machine, as real ones are elsewhere. It writes a line when each attack was
made once, goes on until its input is closed, then writes how often each attack was made.
"""

import asyncio
import json
import os
import resource
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from tests.core.files import endless_jpeg

PER_ADDRESS = 50  # of each attack: fewer than the service allows, so that as many as possible get in
STARTED_SECONDS = 300  # until each attack was made, at most
AGAIN_SECONDS = 1.0  # before the next attempt of who was turned away
REFUSED = (
    "POST /api/v1/analyze HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 9\r\n\r\n",
    f"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: {10**12}\r\n\r\n",
    "POST /api/v1/analyze HTTP/1.1\r\nHost: localhost\r\nOrigin: http://a.b\r\nContent-Length: 9\r\n\r\n",
    "POST /logout HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
)


@dataclass(frozen=True)
class Attack:
    """How many of each at the same time."""

    sockets: int = 1100  # refused, then one byte of the body, then silence
    exports: int = 50  # asked for and never read
    files: int = 60  # that cost minutes


class Attackers:
    def __init__(self, url: str, conversation: str, attack: Attack) -> None:
        self.made: Counter[str] = Counter()
        self.each_made = asyncio.Event()
        self._where = urlsplit(url).hostname or "", urlsplit(url).port or 80
        self._conversation = conversation
        self._attack = attack
        self._file = endless_jpeg()

    async def go_on(self) -> None:
        """Until cancelled."""
        kinds = {self._stay: self._attack.sockets, self._read_nothing: self._attack.exports}
        kinds[self._send_heavy] = self._attack.files
        async with asyncio.TaskGroup() as group:
            for kind, (attack, count) in enumerate(kinds.items()):
                for number in range(count):
                    group.create_task(self._again(attack, f"127.0.{kind + 1}.{number // PER_ADDRESS + 1}", number))

    def _count(self, attack: str) -> None:
        self.made[attack] += 1
        if len(self.made) == sum(count > 0 for count in asdict(self._attack).values()):
            self.each_made.set()

    async def _again(self, attack: Callable[[str, int], Awaitable[None]], address: str, number: int) -> None:
        while True:
            with suppress(OSError, EOFError):
                await attack(address, number)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _stay(self, address: str, number: int) -> None:
        with await self._connected(address) as client:
            await _loop().sock_sendall(client, REFUSED[number % len(REFUSED)].encode())
            if await _loop().sock_recv(client, 65_536):
                self._count("refused, then silent")
                await _loop().sock_sendall(client, b"1")
                while await _loop().sock_recv(client, 65_536):
                    pass

    async def _read_nothing(self, address: str, _: int) -> None:
        with await self._connected(address) as client:
            path = f"/api/v1/conversations/{self._conversation}/export"
            await _loop().sock_sendall(client, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            self._count("exports that nobody reads")
            while not client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                await asyncio.sleep(AGAIN_SECONDS)

    async def _send_heavy(self, address: str, number: int) -> None:
        with await self._connected(address) as client:
            head = (
                "POST /api/v1/pictures HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            )
            part = '--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
            body = part.encode() + self._file + str(number).encode() + b"\r\n--b--\r\n"
            await _loop().sock_sendall(client, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            self._count("heavy files")
            await _loop().sock_recv(client, 65_536)

    async def _connected(self, address: str) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        client.bind((address, 0))
        try:
            await _loop().sock_connect(client, self._where)
        except BaseException:
            client.close()
            raise
        return client


async def begin(url: str, conversation: str, attack: Attack) -> asyncio.subprocess.Process:
    """Start the attackers. Returns when each attack was made once."""
    pipe = asyncio.subprocess.PIPE
    words = (url, conversation, json.dumps(asdict(attack)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.attackers", *words, stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    async with asyncio.timeout(STARTED_SECONDS):
        await process.stdout.readline()
    return process


async def end(process: asyncio.subprocess.Process) -> Counter[str]:
    """Returns how often each attack was made."""
    out, _ = await process.communicate(b"")  # which ends its input
    return Counter(json.loads(out))


async def _main(url: str, conversation: str, attack: str) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.nice(19)
    attackers = Attackers(url, conversation, Attack(**json.loads(attack)))
    attacking = asyncio.create_task(attackers.go_on())
    telling = asyncio.create_task(_tell(attackers))
    await asyncio.to_thread(sys.stdin.read)
    telling.cancel()
    attacking.cancel()
    with suppress(asyncio.CancelledError):
        await attacking
    print(json.dumps(attackers.made))


async def _tell(attackers: Attackers) -> None:
    await attackers.each_made.wait()
    print("each attack was made", flush=True)


def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
