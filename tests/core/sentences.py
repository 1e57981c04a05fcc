"""Put the catalogues in the code's order. Run it with `make locale`.

Babel's own writer puts each translation under the files that say it: files in alphabetical order, and the sentences of
a file, too. Where in a file a sentence is said does not matter, so that moving code moves nothing here.
"""

import ast
import io
import re
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from core.errors import BotError
from core.i18n import FOLDER

ROOT = Path(__file__).parents[2]
SAID_IN_PAGES = re.compile(r'\bsay\("((?:[^"\\]|\\.)*)"')


def sentences() -> dict[str, list[str]]:
    """Return every literal that the code says to a person, with the files that say it."""
    speakers = {"say", "Note", "BotError", "__init__"} | _subclasses(BotError)  # an error may name its own sentence
    paths = [*ROOT.glob("bots/**/*.py"), *ROOT.glob("core/**/*.py"), *ROOT.glob("storage/**/*.py")]
    trees = {path: ast.parse(path.read_text("utf-8")) for path in paths}
    for tree in trees.values():  # errors of an adapter's own
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        speakers |= {node.name for node in classes if any(name_of(base) in speakers for base in node.bases)}
    speakers -= {"OperatorError", "ModelMissing"}  # operators read English
    found: dict[str, set[Path]] = {}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and name_of(node.func) in speakers and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.setdefault(first.value, set()).add(path)
    for path in [*ROOT.glob("bots/web/**/*.html"), *ROOT.glob("bots/web/**/*.js")]:
        for sentence in SAID_IN_PAGES.findall(path.read_text("utf-8")):
            found.setdefault(sentence, set()).add(path)
    return {sentence: sorted(str(path.relative_to(ROOT)) for path in paths) for sentence, paths in found.items()}


def _subclasses(error: type[BotError]) -> set[str]:
    return {name for sub in error.__subclasses__() for name in {sub.__name__} | _subclasses(sub)}


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def in_order(path: Path) -> str:
    """Return what the catalogue's file should be: the same translations, in order, without those no longer said."""
    said = sentences()
    old = read_po(path.read_bytes().splitlines())
    new = Catalog(path.stem)
    for message in sorted((message for message in old if message.id in said), key=lambda message: str(message.id)):
        places = [(file, 0) for file in said[str(message.id)]]
        new.add(message.id, message.string, locations=places)
    file = io.BytesIO()
    write_po(file, new, width=0, omit_header=True, sort_by_file=True, include_lineno=False)
    header = f'msgid ""\nmsgstr ""\n"Language: {path.stem}\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    return header + file.getvalue().decode("utf-8").strip() + "\n"


if __name__ == "__main__":
    for catalogue in FOLDER.glob("*.po"):
        catalogue.write_text(in_order(catalogue), encoding="utf-8")
