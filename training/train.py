"""The whole training, from where it stopped: letters, answers, the files, counting. Run: python -m training.train

Options go to all stages (see training.read, training.answer and training.count).
"""

import sys

from training import answer, count, curve, export, read


def main() -> None:
    read.main(sys.argv[1:])
    answer.main(sys.argv[1:])
    export.export()
    count.main(sys.argv[1:])
    curve.draw()


if __name__ == "__main__":
    main()
