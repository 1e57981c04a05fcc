import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from bots.config import Settings, load, owner, owners
from core.errors import OperatorError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.toml"


def written(folder: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = folder / "config.toml"
    path.write_text(text, "utf-8")
    return load(path, environment or {})


def test_without_a_file_the_web_page_runs_with_the_demo_model() -> None:
    settings = load(None, {})
    assert settings.adapters == ("bots.web",)
    assert settings["core.engine"].model == "demo"


def test_a_file_without_the_engine_means_the_real_model(tmp_path: Path) -> None:
    settings = written(tmp_path, "[bots.web]\nport = 8080\n")
    assert settings["core.engine"].model == "Qwen/Qwen3-VL-2B-Instruct"
    assert settings["bots.web"].port == 8080


def test_a_platform_whose_table_is_absent_is_not_started(tmp_path: Path) -> None:
    settings = written(tmp_path, '[bots.telegram]\ntoken = "1:a"\nallow = ["*"]\n')
    assert settings.adapters == ("bots.telegram",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[bots.web]\ncolour = 1\n", r"\[bots.web\] colour is not a setting; known are: .*port"),
        ("[bots.wbe]\nport = 1\n", r"there is no table \[bots.wbe\]; known are: .*\[bots.web\]"),
        ("[bots.web]\nport = 'many'\n", r"\[bots.web\] port: .*valid integer"),
        ("[core.assistant]\ntemperature = 9\n", r"\[core.assistant\] temperature: .*less than or equal to 2"),
        ("[bots.telegram]\nallow = ['*']\n", r"\[bots.telegram\] token is missing"),
        ("[bots.web\n", "cannot be read"),
        ("port = 1\n", r"there is no table \[port\]"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(OperatorError, match=sentence) as caught:
        written(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told() -> None:
    with pytest.raises(OperatorError, match=r"no config file nowhere\.toml.*config\.example\.toml"):
        load(Path("nowhere.toml"), {})


def test_secrets_come_from_the_environment(tmp_path: Path) -> None:
    text = '[bots.web]\ntoken = "env:PAGE_TOKEN"\n'
    with pytest.raises(OperatorError, match="PAGE_TOKEN, which is not set"):
        written(tmp_path, text)
    token = written(tmp_path, text, {"PAGE_TOKEN": "hunter-22"})["bots.web"].token
    assert token == SecretStr("hunter-22")
    assert "hunter-22" not in repr(token)


def test_a_container_is_configured_by_its_environment() -> None:
    settings = load(None, {"PA_BOTS_WEB_PORT": "8080", "PA_CORE_ENGINE_PRECISION": "float32", "PATH": "/bin"})
    assert settings["bots.web"].port == 8080
    assert settings["core.engine"].precision == "float32"


def test_a_token_of_digits_is_a_token() -> None:
    assert load(None, {"PA_BOTS_WEB_TOKEN": "20261126"})["bots.web"].token == SecretStr("20261126")


def test_the_example_loads_and_names_every_setting_with_its_default() -> None:
    """Commented-out tables and keys count: `# key = value` is how an optional one is shown."""
    text = EXAMPLE.read_text("utf-8")
    uncommented = "\n".join(
        line.removeprefix("# ") if line.startswith("# ") and (" = " in line or line.startswith("# [")) else line
        for line in text.splitlines()
    )
    document = tomllib.loads(uncommented)
    load(EXAMPLE, {})
    for table in owners():
        shown = document
        for part in table.split("."):
            shown = shown[part]
        fields = owner(table).model_fields
        assert set(shown) == set(fields), table
        for key, field in fields.items():
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            if not default or str(shown[key]).startswith("env:"):
                continue  # nothing by default: the example shows what one would look like
            plain = list(default) if isinstance(default, tuple) else default
            assert shown[key] == (str(plain) if isinstance(plain, str | Path) else plain), f"{table}.{key}"


def test_the_example_says_a_sentence_about_every_setting() -> None:
    lines = EXAMPLE.read_text("utf-8").splitlines()
    for line in lines:
        if " = " in line and not line.startswith("#  "):
            assert "  # " in line, f"no word about: {line}"


def test_help_answers_without_torch() -> None:
    code = "import sys; sys.argv = ['bots', '--help']\n"
    code += "try:\n    from bots.__main__ import cli; cli()\nexcept SystemExit: pass\n"
    code += "print('slow:', sorted({'torch', 'transformers', 'sqlalchemy', 'fastapi', 'telegram'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "ask" in done.stdout
    assert "slow: []" in done.stdout
