"""The whole training, from where it stopped: letters, then answers, then the files. Run: python -m training.train

Options go to both stages (see training.read and training.answer).
"""

import sys

from training import answer, curve, export, read


def main() -> None:
    read.main(sys.argv[1:])
    answer.main(sys.argv[1:])
    export.export()
    curve.draw()


if __name__ == "__main__":
    main()
