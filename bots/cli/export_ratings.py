"""Write rated answers with their pictures as a data set for evaluation: rated.jsonl and one PNG per picture."""

import json
from collections.abc import Sequence
from pathlib import Path

from core.conversation import Turn

RATED = "rated.jsonl"


def write(rated: Sequence[Turn], folder: Path) -> Path:
    """Write one line per turn: pictures (file names), question, answer, rating (1 or -1).

    Equal pictures share a file.
    """
    pictures = folder / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    lines = []
    for turn in rated:
        names = []
        for picture in turn.pictures:
            path = pictures / f"{picture.image.id}.png"
            path.write_bytes(picture.image.data)
            names.append(str(path.relative_to(folder)))
        answer = turn.answer.text if turn.answer else ""
        line = {"pictures": names, "question": turn.text, "answer": answer, "rating": turn.rating}
        lines.append(json.dumps(line, ensure_ascii=False))
    path = folder / RATED
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path
