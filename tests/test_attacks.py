"""SECURITY.md promises that attacks are tried; here its promises are looked up."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`([^`\s]+\.py)::(\w+)`")


def test_every_attack_of_the_security_page_is_tried_by_a_test_that_exists() -> None:
    rows = [line for line in (ROOT / "SECURITY.md").read_text("utf-8").splitlines() if "::test_" in line]
    assert len(rows) >= 15
    for path, name in (found for row in rows for found in NAMED.findall(row)):
        file = ROOT / path.replace("…", "tests/bots")
        assert re.search(rf"^(async )?def {name}\(", file.read_text("utf-8"), re.M), f"{path}::{name}"
