"""Read settings from environment variables: `PA_BOTS_WEB_PORT=8080` is `port` in [bots.web]. Refuse unknown names."""

import difflib
import tomllib
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, SecretStr

from bots.renamed_settings import NEW_NAMES
from core.errors import OperatorError

PREFIX = "PA_"
CONFIG = f"{PREFIX}CONFIG"  # where the config file is; the command line reads it
Configs = Mapping[str, type[BaseModel]]  # by table


def settings_of(environment: Mapping[str, str], configs: Configs) -> list[tuple[str, str, Any]]:
    """Return table, key and value of each setting that is a variable. Raises `OperatorError` for unknown variables."""
    known = {_variable(table, key): (table, key) for table, config in configs.items() for key in _names(table, config)}
    found = []
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or variable == CONFIG:
            continue
        if variable not in known:
            raise OperatorError(
                "There is no setting {variable}. Did you mean {nearest}? Each variable that begins with PA_ is a "
                "setting: PA_, its table and its name; take away what is none.",
                variable=variable,
                nearest=_nearest(variable, [CONFIG, *known]),
            )
        table, key = known[variable]
        found.append((table, key, _value(text.strip(), is_secret(configs[table], key))))
    return found


def is_secret(config: type[BaseModel], key: str) -> bool:
    """Return whether the setting is a secret, which is text whatever it looks like."""
    field = config.model_fields.get(key)
    return field is not None and SecretStr in (field.annotation, *get_args(field.annotation))


def _names(table: str, config: type[BaseModel]) -> list[str]:
    """Return a table's settings, their old names, and former settings, whose own check says where they went."""
    return [*config.model_fields, *NEW_NAMES.get(table, ()), *getattr(config, "FORMER", ())]


def _variable(table: str, key: str) -> str:
    return f"{PREFIX}{table.replace('.', '_')}_{key}".upper()


def _nearest(variable: str, known: list[str]) -> str:
    """Return the known variable that is most like it: the one with all of its words, if there is one."""
    asked = variable.upper()
    words = set(asked.split("_"))

    def likeness(name: str) -> tuple[bool, float]:
        return words <= set(name.split("_")), difflib.SequenceMatcher(None, asked, name).ratio()

    return max(known, key=likeness)


def _value(text: str, secret: bool) -> Any:
    """Return what the text would be in TOML, such as a number or a list. Anything else, and any secret, is a string."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if secret and not isinstance(value, str) else value
