"""Read ids of people and chats in a config: `allow` and `admins` are written the same way for every platform."""

from pydantic import AfterValidator, BeforeValidator

EVERYBODY = "*"


def _one_or_more(value: object) -> object:
    """Return a tuple. A lone id is a list of one, and text with commas is a list, because variables have no lists."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    return (value,) if isinstance(value, int) and not isinstance(value, bool) else value


def _nobody_unnamed(ids: tuple[object, ...]) -> tuple[object, ...]:
    if EVERYBODY in ids:
        raise ValueError(f'"{EVERYBODY}" is for allow only: name each admin')
    return ids


ONE_OR_MORE = BeforeValidator(_one_or_more)
NAMED = AfterValidator(_nobody_unnamed)
