"""Translate settings' old names. An old name works for one release, with a sentence for the operator.

A limit ends with its unit, as in `cache_limit_gb`, and so does a time, as in `interval_seconds`.
"""

from typing import Any

from core.errors import OperatorError

# Renamed before 0.1.0, the first release; remove these in 0.2.0.
NEW_NAMES = {  # table -> old name -> new name
    "core.engine": {"memory": "memory_limit_gb", "cache_limit": "cache_limit_gb"},
    "core.images": {"byte_limit_mib": "file_limit_mb"},
    "storage": {"limit": "size_limit_gb", "person_limit": "person_limit_gb"},
    "bots.web": {"upload_mb": "upload_limit_mb", "body_timeout": "body_timeout_seconds"},
    "bots.telegram": {"interval": "interval_seconds", "timeout": "timeout_seconds"},
    "bots.slack": {"interval": "interval_seconds", "pace": "pace_seconds"},
}


def rename(tables: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Give settings their new names, and return a sentence about each that had its old one.

    Raises `OperatorError` if a setting is there under both names.
    """
    notices = []
    for table, names in NEW_NAMES.items():
        values = tables.get(table, {})
        for old, new in names.items():
            if old not in values:
                continue
            if new in values:
                raise OperatorError(
                    "[{table}] {old} is the old name of {new}: remove {old}.", table=table, old=old, new=new
                )
            values[new] = values.pop(old)
            notices.append(f"[{table}] {old} is called {new} now. The old name works until the next release.")
    return tuple(notices)
