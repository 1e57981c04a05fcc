"""Write turns as fast as possible and print which are on disk, until the tests kill it.

Takes the database's address.
"""

import asyncio
import itertools
import sys

from storage.store import Store, StoreConfig
from tests.storage.things import ask, image

PICTURES = 3


async def main(url: str, start: str) -> None:
    store = await Store.open(StoreConfig(url=url))
    for number in itertools.count():
        key = f"{start}:{number}"
        pictures = [image(f"{key}:{place} " + "x" * 50_000) for place in range(PICTURES)]
        await store.put("writer", key, f"c:{number % 3}", "payload")
        await ask(store, f"c:{number % 3}", key, *pictures, key=key, answer=key)
        if number % 5 == 4:
            await store.forget(f"c:{(number + 1) % 3}")
            print("forgot", f"c:{(number + 1) % 3}", flush=True)
        print("saved", key, f"c:{number % 3}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
