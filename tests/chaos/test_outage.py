import asyncio
import random
import sys
from pathlib import Path

import pytest

from core.hardware import MALLOC_HEAPS
from tests.chaos.attackers import Attack
from tests.chaos.outage import LOG_BYTES, measure
from tests.chaos.site import Site
from tests.heaps import heaps


@pytest.mark.timeout(600)
async def test_somebody_is_answered_while_the_service_is_attacked_in_three_ways(tmp_path: Path) -> None:
    """How long that takes is `make attacks`' to say: no test here depends on the machine's speed."""
    outage = await measure(tmp_path, Attack(sockets=20, exports=3, files=3), rounds=1, questions=2, settle_s=0.5)
    assert outage.quiet.errors == outage.attacked.errors == []
    assert len(outage.attacked.begun) == 2
    assert set(outage.made) == {"refused, then silent", "exports that nobody reads", "heavy files"}
    assert outage.quiet.memory > 0
    assert outage.attacked.log < LOG_BYTES
    assert "Traceback" not in await asyncio.to_thread((tmp_path / "log").read_text, "utf-8")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heaps")
async def test_the_threads_of_the_service_share_few_heaps(tmp_path: Path) -> None:
    """Else each that an attack makes it begin keeps what it once needed, for as long as the service lives."""
    async with Site(tmp_path, ["web"], random.Random(1)) as site:
        await site.start()
        await site.until_ready()
        try:
            assert heaps(site.life.pid) <= MALLOC_HEAPS  # an arena that grows has several
        except PermissionError:
            pytest.skip("only root may look into the service")
