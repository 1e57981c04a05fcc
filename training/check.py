"""Asks about the sample pictures and says what came out right. Run: python -m training.check"""

import json

from PIL import Image

from training.reader import Reader, Talk
from training.samples import DIRECTORY
from training.tokenizer import DEMO


def main() -> None:
    reader = Reader(DEMO)
    listed = json.loads((DIRECTORY / "samples.json").read_text(encoding="utf-8"))
    right = total = 0
    for name, pairs in listed.items():
        talks = []
        for pair in pairs:
            talk = Talk()
            talk.ask(pair["question"], [Image.open(DIRECTORY / name).convert("RGB")])
            talks.append(talk)
        for pair, given in zip(pairs, reader.answers(talks), strict=True):
            total += 1
            right += given == pair["answer"]
            mark = "ok   " if given == pair["answer"] else "WRONG"
            print(mark, name, "|", pair["question"], "|", repr(given))
    print(f"{right} of {total}")


if __name__ == "__main__":
    main()
