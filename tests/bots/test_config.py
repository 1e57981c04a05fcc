import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from bots.config import Settings, known_tables, load, owner
from bots.conversing.allow_list import AllowList
from bots.renamed_settings import NEW_NAMES
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
    assert settings.engine.model == "demo"


def test_a_file_without_the_engine_means_the_real_model(tmp_path: Path) -> None:
    settings = written(tmp_path, "[bots.web]\nport = 8080\n")
    assert settings.engine.model == "Qwen/Qwen3-VL-2B-Instruct"
    assert settings.platforms["bots.web"].port == 8080


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
        ("[core.images]\nimage_tokens = 63\n", r"\[core.images\] image_tokens: 64 is the smallest sensible value"),
        ("[bots.telegram]\nallow = ['*']\n", r"\[bots.telegram\] token is missing"),
        ("[bots.web\n", "cannot be read"),
        ("port = 1\n", r"there is no table \[port\]"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(OperatorError, match=sentence) as caught:
        written(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_the_smallest_sensible_pictures_are_taken(tmp_path: Path) -> None:
    assert written(tmp_path, "[core.images]\nimage_tokens = 64\n").images.image_tokens == 64


def test_a_missing_file_is_told() -> None:
    with pytest.raises(OperatorError, match=r"no config file nowhere\.toml.*config\.example\.toml"):
        load(Path("nowhere.toml"), {})


def test_secrets_come_from_the_environment(tmp_path: Path) -> None:
    text = '[bots.web]\ntoken = "env:PAGE_TOKEN"\n'
    with pytest.raises(OperatorError, match="PAGE_TOKEN, which is not set"):
        written(tmp_path, text)
    token = written(tmp_path, text, {"PAGE_TOKEN": "hunter-22"}).platforms["bots.web"].token
    assert token == SecretStr("hunter-22")
    assert "hunter-22" not in repr(token)


def test_a_container_is_configured_by_its_environment() -> None:
    settings = load(None, {"PA_BOTS_WEB_PORT": "8080", "PA_CORE_ENGINE_PRECISION": "float32", "PATH": "/bin"})
    assert settings.platforms["bots.web"].port == 8080
    assert settings.engine.precision == "float32"


def test_a_token_of_digits_is_a_token() -> None:
    assert load(None, {"PA_BOTS_WEB_TOKEN": "20261126"}).platforms["bots.web"].token == SecretStr("20261126")


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("PA_WEB_TOKEN", "PA_BOTS_WEB_TOKEN"),
        ("PA_BOTS_WEB_TOKNE", "PA_BOTS_WEB_TOKEN"),
        ("PA_MODEL", "PA_CORE_ENGINE_MODEL"),
        ("PA_TELEGRAM_TOKEN", "PA_BOTS_TELEGRAM_TOKEN"),
        ("PA_BOTS_SLACK_SIGNINGSECRET", "PA_BOTS_SLACK_SIGNING_SECRET"),
        ("PA_STORAGE_RATING", "PA_STORAGE_RATINGS"),
        ("PA_CONFIG_FILE", "PA_CONFIG"),
        ("PA_bots_web_port", "PA_BOTS_WEB_PORT"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(variable: str, nearest: str) -> None:
    with pytest.raises(OperatorError, match=rf"no setting {variable}\. Did you mean {nearest}\?"):
        load(None, {variable: "a-token-for-the-page"})


def test_a_variable_that_is_refused_does_not_show_its_value() -> None:
    with pytest.raises(OperatorError) as caught:
        load(None, {"PA_WEB_TOKEN": "hunter-22"})
    assert "hunter" not in str(caught.value)


def test_the_name_of_the_config_and_other_programs_variables_are_no_settings() -> None:
    load(None, {"PA_CONFIG": "/etc/config.toml", "PAGER": "less", "PATH": "/bin"})


def test_every_setting_of_the_example_is_a_variable_too() -> None:
    for table in known_tables():
        for key in owner(table).model_fields:
            variable = f"PA_{table.replace('.', '_')}_{key}".upper()
            told = ""
            try:
                load(None, {variable: "[[1]]"})
            except OperatorError as error:
                told = str(error)
            assert "There is no setting" not in told


def test_a_setting_that_is_misspelt_in_the_file_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"tokn is not a setting; known are: .*\. Did you mean token\?"):
        written(tmp_path, '[bots.web]\ntokn = "hunter-22"\n')


@pytest.mark.parametrize("line_feed", ["\n", "\r\n", " \n\n"])
def test_line_feeds_around_a_secret_are_stripped_wherever_it_comes_from(tmp_path: Path, line_feed: str) -> None:
    given = f"hunter-22{line_feed}"
    text = '[bots.web]\ntoken = "env:PAGE_TOKEN"\n[storage]\nurl = "env:ADDRESS"\n'
    settings = written(tmp_path, text, {"PAGE_TOKEN": given, "ADDRESS": f"sqlite+aiosqlite:///x.db{line_feed}"})
    assert settings.platforms["bots.web"].token == SecretStr("hunter-22")
    assert settings.storage.url == "sqlite+aiosqlite:///x.db"
    assert load(None, {"PA_BOTS_WEB_TOKEN": given}).platforms["bots.web"].token == SecretStr("hunter-22")
    escaped = given.encode("unicode_escape").decode()
    assert written(tmp_path, f'[bots.web]\ntoken = "{escaped}"\n').platforms["bots.web"].token == SecretStr("hunter-22")


def test_a_secret_with_a_line_break_inside_or_none_at_all_is_refused(tmp_path: Path) -> None:
    text = '[bots.web]\ntoken = "env:PAGE_TOKEN"\n'
    with pytest.raises(OperatorError, match=r"\[bots.web\] token cannot be right: there is a line break in it"):
        written(tmp_path, text, {"PAGE_TOKEN": "hunter-22\nhunter-23"})
    with pytest.raises(OperatorError, match="PAGE_TOKEN, which is empty"):
        written(tmp_path, text, {"PAGE_TOKEN": "\n"})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_a_config_that_a_windows_editor_saved_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes("# 设置\r\n[bots.web]\r\nport = 8080\r\n".encode(encoding))
    assert load(path, {}).platforms["bots.web"].port == 8080


def test_a_config_in_another_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes("# 设置\n[bots.web]\n".encode("gb18030"))
    with pytest.raises(OperatorError, match="cannot be read"):
        load(path, {})


TABLES = {
    "bots.telegram": ('token = "1:a"\n', "7", (7,), (7, -100)),
    "bots.slack": ('bot_token = "xoxb-1"\napp_token = "xapp-1"\n', '"U7"', ("U7",), ("U7", "C100")),
}


@pytest.mark.parametrize("table", TABLES)
def test_allow_is_written_the_same_way_for_every_platform(tmp_path: Path, table: str) -> None:
    secrets, one, alone, two = TABLES[table]
    nobody, somebody = (1, 1) if table == "bots.telegram" else ("U1", "C1"), alone[0]

    def allowed(text: str) -> tuple[object, ...]:
        config = written(tmp_path, f"[{table}]\n{secrets}allow = {text}\n").platforms[table]
        listed = AllowList.of(config)
        assert listed.has(*map(str, nobody)) == ("*" in config.allow)
        assert listed.has(str(somebody), str(nobody[1]))
        return tuple(config.allow)

    assert allowed('"*"') == allowed('["*"]') == ("*",)
    assert allowed(f'["*", {one}]') == ("*", *alone)
    assert allowed(one) == allowed(f"[{one}]") == alone
    variable = f"PA_{table.replace('.', '_').upper()}_ALLOW"
    for text, ids in (("*", ("*",)), (one.strip('"'), alone), (", ".join(map(str, two)), two)):
        assert written(tmp_path, f"[{table}]\n{secrets}", {variable: text}).platforms[table].allow == ids


@pytest.mark.parametrize("table", TABLES)
def test_nobody_is_an_admin_without_being_named(tmp_path: Path, table: str) -> None:
    for admins in ('"*"', '["*"]'):
        with pytest.raises(OperatorError, match="admins"):
            written(tmp_path, f"[{table}]\n{TABLES[table][0]}admins = {admins}\n")


@pytest.mark.parametrize("token", ["", "12345", "123:a b", "bot123:abc"])
def test_what_cannot_be_a_telegram_token_is_refused_before_anything_starts(tmp_path: Path, token: str) -> None:
    with pytest.raises(OperatorError, match="@BotFather shows it"):
        written(tmp_path, f'[bots.telegram]\ntoken = "{token}"\n')


def test_the_example_loads_and_names_every_setting_with_its_default() -> None:
    """Commented-out tables and keys count: `# key = value` is how an optional one is shown."""
    text = EXAMPLE.read_text("utf-8")
    uncommented = "\n".join(
        line.removeprefix("# ") if line.startswith("# ") and (" = " in line or line.startswith("# [")) else line
        for line in text.splitlines()
    )
    document = tomllib.loads(uncommented)
    load(EXAMPLE, {})
    for table in known_tables():
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


def test_the_example_says_of_every_setting_what_its_class_says() -> None:
    table, told = "", {}
    for line in EXAMPLE.read_text("utf-8").splitlines():
        if heading := re.fullmatch(r"(?:# )?\[([a-z.]+)\]", line):
            table = heading[1]
        elif setting := re.fullmatch(r"(?:# )?(\w+) = .+?  # (.+)", line):
            told[table, setting[1]] = setting[2]
    for name in known_tables():
        for key, field in owner(name).model_fields.items():
            assert told.pop((name, key)) == field.description
    assert not told


def test_help_answers_without_torch() -> None:
    code = "import sys; sys.argv = ['bots', '--help']\n"
    code += "try:\n    from bots.__main__ import cli; cli()\nexcept SystemExit: pass\n"
    code += "print('slow:', sorted({'torch', 'transformers', 'sqlalchemy', 'fastapi', 'telegram'} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "ask" in done.stdout
    assert "slow: []" in done.stdout


OLD = [(table, old, new) for table, names in NEW_NAMES.items() for old, new in names.items()]


@pytest.mark.parametrize(("table", "old", "new"), OLD)
def test_a_setting_s_old_name_still_works_and_is_told(tmp_path: Path, table: str, old: str, new: str) -> None:
    needed = {"bots.telegram": "token = '1:a'\n", "bots.slack": "bot_token = 'xoxb-1'\napp_token = 'xapp-1'\n"}
    settings = written(tmp_path, f"[{table}]\n{needed.get(table, '')}{old} = 7\n")
    checked = settings.platforms.get(table) or getattr(settings, table.rpartition(".")[2])
    assert getattr(checked, new) == 7
    assert settings.notices == (f"[{table}] {old} is called {new} now. The old name works until the next release.",)


def test_new_names_are_settings_and_old_ones_are_none() -> None:
    for table, old, new in OLD:
        assert new in owner(table).model_fields
        assert old not in owner(table).model_fields


def test_an_environment_variable_s_old_name_still_works(tmp_path: Path) -> None:
    settings = written(tmp_path, "[bots.web]\n", {"PA_CORE_ENGINE_CACHE_LIMIT": "3.5"})
    assert settings.engine.cache_limit_gb == 3.5
    assert "cache_limit is called cache_limit_gb now" in settings.notices[0]


def test_a_setting_under_both_names_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"\[storage\] limit is the old name of size_limit_gb: remove limit"):
        written(tmp_path, "[storage]\nlimit = 1\nsize_limit_gb = 2\n")


def test_new_names_need_no_notice(tmp_path: Path) -> None:
    assert written(tmp_path, "[storage]\nsize_limit_gb = 2\n").notices == ()


@pytest.mark.parametrize(
    ("urls", "reason"),
    [
        ('["gpu1:8000"]', "begins with http:// or https://"),
        ('["ftp://gpu1/v1"]', "begins with http:// or https://"),
        ('["http://gpu1:port/v1"]', "begins with http:// or https://"),
        ('["http://me:hunter2@gpu1/v1"]', "a key belongs into api_key"),
        ('["https://gpu1/v1?key=hunter2"]', "a key belongs into api_key"),
    ],
)
def test_an_engine_s_address_is_checked_and_its_password_not_repeated(tmp_path: Path, urls: str, reason: str) -> None:
    with pytest.raises(OperatorError, match=reason) as caught:
        written(tmp_path, f"[core.engine]\nurls = {urls}\n")
    assert "hunter2" not in str(caught.value)


def test_engines_elsewhere_are_named_by_a_file_or_by_variables_alone(tmp_path: Path) -> None:
    settings = written(
        tmp_path, '[core.engine]\nurls = ["http://a:1/v1/", "http://a:1/v1"]\napi_key = "env:KEY"\n', {"KEY": "sk-1"}
    )
    assert settings.engine.urls == ("http://a:1/v1",)
    assert settings.engine.api_key == SecretStr("sk-1")
    settings = load(None, {"PA_CORE_ENGINE_URLS": "http://b:2/v1", "PA_CORE_ENGINE_API_KEY": "123"})
    assert (settings.engine.urls, settings.engine.api_key) == (("http://b:2/v1",), SecretStr("123"))
    assert "model" not in settings.engine.model_fields_set  # so that it is the one that they list
    settings = load(None, {"PA_CORE_ENGINE_URLS": "['http://b:2/v1']", "PA_CORE_ENGINE_MODEL": "demo"})
    assert (settings.engine.urls, settings.engine.model) == (("http://b:2/v1",), "demo")
