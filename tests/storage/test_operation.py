"""Each of the store's operations is declared once, with its docstring, where its statements are."""

import ast
import asyncio
import inspect
from pathlib import Path

import pytest

from core.conversation import Conversation
from core.errors import StoreDown
from storage import conversations, store
from storage.store import Store, StoreConfig

OPERATIONS = [name for name in vars(Store) if not name.startswith("_")]


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_says_what_it_does(name: str) -> None:
    assert inspect.getdoc(getattr(Store, name))


def test_an_operation_has_the_name_and_the_words_of_the_function_that_does_it() -> None:
    assert Store.load.__name__ == "load"
    assert inspect.getdoc(Store.load) == inspect.getdoc(conversations.load)


def test_no_method_of_the_store_only_hands_on_its_arguments() -> None:
    tree = ast.parse(Path(store.__file__).read_text())
    methods = [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)]
    assert {method.name for method in methods} > {"open", "forget", "make_room"}
    assert [method.name for method in methods if _only_hands_on(method)] == []


async def test_an_operation_takes_its_arguments_by_place_or_by_name(path: Path) -> None:
    opened = await Store.open(StoreConfig(url=f"sqlite+aiosqlite:///{path}"))
    try:
        assert await opened.load(conversation_id="web:1") == await opened.load("web:1") == Conversation("web:1")
        assert await opened.put("web", "k1", conversation_id="web:1", payload="?")
        await asyncio.to_thread(path.rename, path.with_name("elsewhere.db"))
        with pytest.raises(StoreDown):
            await opened.load("web:1")
        with pytest.raises(StoreDown):
            await opened.put("web", "k2", "web:1", "?")
    finally:
        await opened.close()


def _only_hands_on(method: ast.AsyncFunctionDef | ast.FunctionDef) -> bool:
    """Whether it is one call whose arguments are its own, beside the function that does the work."""
    body = [node for node in method.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))]
    if len(body) != 1 or not isinstance(body[0], ast.Return | ast.Expr):
        return False
    call = body[0].value
    call = call.value if isinstance(call, ast.Await) else call
    own = {argument.arg for argument in method.args.args}
    return isinstance(call, ast.Call) and all(
        isinstance(argument, ast.Name) and argument.id in own for argument in call.args[1:]
    )
