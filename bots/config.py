"""Load settings from TOML. A table is named after its module: [bots.telegram] belongs to bots/telegram/config.py.

Everything is checked before anything slow starts, so a typo costs a second. Each setting can also be given as an
environment variable (`PA_BOTS_WEB_PORT=8080` is `port` in `[bots.web]`): a container needs no file.
"""

import codecs
import difflib
import importlib
import importlib.util
import os
import pkgutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from bots import renamed_settings
from bots.environment import is_secret, settings_of
from core.errors import OperatorError

if TYPE_CHECKING:
    from bots.log import LogConfig
    from bots.web.config import WebConfig
    from core.engine import EngineConfig
    from core.pictures.images import ImagesConfig
    from core.quota import QuotaConfig
    from core.sampling import Sampling
    from storage.store import StoreConfig

PLATFORMS = {  # [bots.NAME] -> its package, with `Config`, `run`, `examine` and the `PACKAGES` that its extra installs
    "web": "bots.web",
    "telegram": "bots.telegram",
    "slack": "bots.slack",
}
PARTS = {  # every other table -> the class that checks it
    "core.engine": "core.engine:EngineConfig",
    "core.images": "core.pictures.images:ImagesConfig",
    "core.assistant": "core.sampling:Sampling",
    "core.quota": "core.quota:QuotaConfig",
    "storage": "storage.store:StoreConfig",
    "bots.log": "bots.log:LogConfig",
}
WITHOUT_A_FILE: dict[str, dict[str, Any]] = {"core.engine": {"model": "demo"}, "bots.web": {}}
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Settings:
    """The checked settings. A field has the last word of its table's name; an adapter is there if its table is.

    `notices` are sentences for the operator about settings that have new names.
    """

    engine: "EngineConfig"
    images: "ImagesConfig"
    assistant: "Sampling"
    quota: "QuotaConfig"
    storage: "StoreConfig"
    log: "LogConfig"
    platforms: Mapping[str, Any]  # table -> the `Config` of its platform's package
    notices: tuple[str, ...] = ()

    @property
    def web(self) -> "WebConfig | None":
        return self.platforms.get("bots.web")

    @property
    def adapters(self) -> tuple[str, ...]:
        return tuple(table for table in _platform_tables() if table in self.platforms)


def load(path: Path | None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings from a file. Without one: the web page with the demo model. Raises `OperatorError`."""
    tables: dict[str, dict[str, Any]] = {} if path is None else _read(path)
    for name, key, value in settings_of(environment, {table: _config(table) for table in known_tables()}):
        tables.setdefault(name, {})[key] = value
    if path is None:
        _complete(tables)
    notices = renamed_settings.rename(tables)
    parts: dict[str, Any] = {name.rpartition(".")[2]: _check(name, tables.get(name, {}), environment) for name in PARTS}
    platforms = {name: _check(name, tables[name], environment) for name in _platform_tables() if name in tables}
    for name, config in platforms.items():
        if "bots.web" not in platforms and (reason := getattr(config, "needs_web", "")):
            raise OperatorError(
                "[{table}] {reason}: add a table [bots.web], empty or with its own settings.", table=name, reason=reason
            )
    return Settings(**parts, platforms=platforms, notices=notices)


def _complete(tables: dict[str, dict[str, Any]]) -> None:
    """Add the page and the demo model, unless the variables name engines elsewhere."""
    for name, table in WITHOUT_A_FILE.items():
        given = tables.setdefault(name, {})
        if "urls" not in given:
            tables[name] = {**table, **given}


def known_tables() -> list[str]:
    """Return the name of every table that a config may have."""
    return [*PARTS, *_platform_tables()]


def owner(table: str) -> type[BaseModel]:
    """Return the class that checks a table. Raises `OperatorError` if its platform's packages are not installed."""
    packages = () if table in PARTS else platform(table).PACKAGES
    if not all(importlib.util.find_spec(package) for package in packages):
        how = how_to_install(table.rpartition(".")[2])
        raise OperatorError("[{table}] needs packages that are not installed: {how}", table=table, how=how)
    return _config(table)


def _config(table: str) -> type[BaseModel]:
    """Return the class that checks a table, also of a platform whose packages are not installed."""
    config: type[BaseModel] = pkgutil.resolve_name(PARTS[table]) if table in PARTS else platform(table).Config
    return config


def platform(table: str) -> Any:
    """Return the package of the platform that a table enables."""
    return importlib.import_module(_platform_tables()[table])


def how_to_install(extra: str) -> str:
    """Return the command that installs an optional part, in a checkout or with the wheel."""
    checkout = (Path(__file__).parents[1] / "pyproject.toml").is_file()
    return f"pip install '{'.' if checkout else 'picture-answers'}[{extra}]'"


def _platform_tables() -> dict[str, str]:
    return {f"bots.{name}": package for name, package in PLATFORMS.items()}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        document = tomllib.loads(_text(path.read_bytes()))
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
        if name not in known_tables() or not isinstance(table, dict):
            raise OperatorError(
                "{path}: there is no table [{name}]; known are: {known}.",
                path=str(path),
                name=name,
                known=", ".join(f"[{known}]" for known in known_tables()),
            )
    return tables


def _text(data: bytes) -> str:
    """Editors and shells of Windows put a mark in front, or write two bytes a character."""
    return data.decode("utf-16" if data.startswith(UTF_16) else "utf-8-sig")


def _check(name: str, table: Mapping[str, Any], environment: Mapping[str, str]) -> BaseModel:
    config = owner(name)
    values = {key: _given(name, key, value, environment) for key, value in table.items()}
    try:
        return config.model_validate(values)
    except ValidationError as error:
        reasons = "; ".join(_reason(detail, config) for detail in error.errors(include_input=False, include_url=False))
        raise OperatorError("[{table}] {reasons}", table=name, reasons=reasons) from None


def _given(table: str, key: str, value: Any, environment: Mapping[str, str]) -> Any:
    """Return a setting's value, which a variable may hold. Files and shells leave line feeds around secrets."""
    if isinstance(value, dict):
        return {name: _given(table, key, each, environment) for name, each in value.items()}
    if isinstance(value, str) and value.startswith("env:"):
        value = _variable(table, key, value.removeprefix("env:"), environment)
    if not isinstance(value, str) or not is_secret(owner(table), key):
        return value
    if len(value.strip().splitlines()) > 1:
        raise OperatorError("[{table}] {key} cannot be right: there is a line break in it.", table=table, key=key)
    return value.strip()


def _variable(table: str, key: str, variable: str, environment: Mapping[str, str]) -> str:
    if text := environment.get(variable, "").strip():
        return text
    raise OperatorError(
        "[{table}] {key} is to come from the environment variable {variable}, which is {state}.",
        table=table,
        key=key,
        variable=variable,
        state="empty" if variable in environment else "not set",
    )


def _reason(detail: Any, config: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, config.model_fields, n=1)
        meant = f". Did you mean {near[0]}?" if near else ""
        return f"{key} is not a setting; known are: {', '.join(config.model_fields)}{meant}"
    if detail["type"] == "missing":
        return f"{key} is missing"
    sentence: str = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {sentence}" if key else sentence
