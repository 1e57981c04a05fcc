"""TOML -> checked settings. A table is named after the module that owns it: [bots.telegram] -> bots/telegram/config.py.

Everything is checked before anything slow starts, so a typo costs a second. Each setting can also be given as an
environment variable (`PA_BOTS_WEB_PORT=8080` is `port` in `[bots.web]`): a container needs no file.
"""

import importlib
import importlib.util
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from core.errors import OperatorError

PLATFORMS = {  # [bots.NAME] -> its package, with `Config`, `run`, `examine` and the `PACKAGES` that its extra installs
    "web": "bots.web",
    "telegram": "bots.telegram",
    "slack": "bots.slack",
}
PARTS = {  # every other table -> the module whose Config checks it
    "core.engine": "core.engine",
    "core.images": "core.pictures.images",
    "core.assistant": "core.sampling",
    "core.quota": "core.quota",
    "storage": "storage.store",
    "bots.log": "bots.log",
}
WITHOUT_A_FILE: dict[str, dict[str, Any]] = {"core.engine": {"model": "demo"}, "bots.web": {}}
PREFIX = "PA_"


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked Config for every table: core and storage always, adapters only where their table is present."""

    tables: Mapping[str, BaseModel]

    def __getitem__(self, table: str) -> Any:
        return self.tables[table]

    def with_value(self, table: str, key: str, value: Any) -> "Settings":
        return Settings({**self.tables, table: self.tables[table].model_copy(update={key: value})})

    @property
    def adapters(self) -> tuple[str, ...]:
        return tuple(table for table in _platform_tables() if table in self.tables)


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from a file, or without one: the web page with the demo model. Raises `OperatorError`."""
    tables = {name: dict(table) for name, table in WITHOUT_A_FILE.items()} if path is None else _read(path)
    for name, key, value in _from_environment(environment):
        tables.setdefault(name, {})[key] = value
    wanted = [name for name in owners() if name in tables or name in PARTS]
    settings = Settings({name: _check(name, tables.get(name, {}), environment) for name in wanted})
    for name in settings.adapters:
        if "bots.web" not in wanted and (reason := getattr(settings[name], "needs_web", "")):
            raise OperatorError(
                "[{table}] {reason}: add a table [bots.web], empty or with its own settings.", table=name, reason=reason
            )
    return settings


def owners() -> dict[str, str]:
    """Return every table that a config may have, with the module whose Config checks it."""
    return PARTS | _platform_tables()


def owner(table: str) -> type[BaseModel]:
    """Return the Config that checks a table. Raises `OperatorError` when its platform's packages are not installed."""
    module = importlib.import_module(owners()[table])
    if not all(importlib.util.find_spec(package) for package in getattr(module, "PACKAGES", ())):
        how = how_to_install(table.rpartition(".")[2])
        raise OperatorError("[{table}] needs packages that are not installed: {how}", table=table, how=how)
    config: type[BaseModel] = module.Config
    return config


def platform(table: str) -> Any:
    """Return the package of the platform that a table enables."""
    return importlib.import_module(_platform_tables()[table])


def how_to_install(extra: str) -> str:
    """Return the command that installs an optional part: in a checkout from it, else as the wheel was installed."""
    checkout = (Path(__file__).parents[1] / "pyproject.toml").is_file()
    return f"pip install '{'.' if checkout else 'picture-answers'}[{extra}]'"


def _platform_tables() -> dict[str, str]:
    return {f"bots.{name}": package for name, package in PLATFORMS.items()}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise OperatorError(
            "There is no config file {path}. Copy config.example.toml and edit it.", path=str(path)
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OperatorError("{path} cannot be read: {reason}", path=str(path), reason=str(error)) from None
    tables: dict[str, dict[str, Any]] = {}
    for part, content in document.items():
        if part == "storage":
            tables[part] = content
            continue
        for name, table in content.items() if isinstance(content, dict) else ():
            tables[f"{part}.{name}"] = table
        if not isinstance(content, dict):
            tables[part] = content
    for name, table in tables.items():
        if name not in owners() or not isinstance(table, dict):
            raise OperatorError(
                "{path}: there is no table [{name}]; known are: {known}.",
                path=str(path),
                name=name,
                known=", ".join(f"[{known}]" for known in owners()),
            )
    return tables


def _from_environment(environment: Mapping[str, str]) -> list[tuple[str, str, Any]]:
    found = []
    for variable, text in sorted(environment.items()):
        for name in owners():
            start = f"{PREFIX}{name.replace('.', '_').upper()}_"
            if variable.startswith(start):
                key = variable.removeprefix(start).lower()
                found.append((name, key, _value(name, key, text)))
    return found


def _value(name: str, key: str, text: str) -> Any:
    """What the text would be in TOML, so that numbers and lists work; anything else is a string, and so is a token."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if _is_secret(name, key) and not isinstance(value, str) else value


def _is_secret(name: str, key: str) -> bool:
    field = owner(name).model_fields.get(key)
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _check(name: str, table: Mapping[str, Any], environment: Mapping[str, str]) -> BaseModel:
    config = owner(name)
    values = {key: _secret(name, key, value, environment) for key, value in table.items()}
    try:
        return config.model_validate(values)
    except ValidationError as error:
        reasons = "; ".join(_reason(detail, config) for detail in error.errors(include_input=False, include_url=False))
        raise OperatorError("[{table}] {reasons}", table=name, reasons=reasons) from None


def _secret(table: str, key: str, value: Any, environment: Mapping[str, str]) -> Any:
    if not isinstance(value, str) or not value.startswith("env:"):
        return value
    variable = value.removeprefix("env:")
    if variable not in environment:
        raise OperatorError(
            "[{table}] {key} is to come from the environment variable {variable}, which is not set.",
            table=table,
            key=key,
            variable=variable,
        )
    return environment[variable]


def _reason(detail: Any, config: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        return f"{key} is not a setting; known are: {', '.join(config.model_fields)}"
    if detail["type"] == "missing":
        return f"{key} is missing"
    sentence: str = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {sentence}" if key else sentence
