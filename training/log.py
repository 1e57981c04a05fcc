"""The training's curve: one line every few steps, to the terminal and to a CSV file beside the checkpoints."""

from torch import Tensor

from training.checkpoint import DIRECTORY


class Log:
    """Means since the last line."""

    def __init__(self, name: str) -> None:
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        self.path = DIRECTORY / f"{name}.csv"
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def add(self, values: dict[str, Tensor]) -> None:
        """Numbers that may still be on their way from a GPU: it is not waited for until the line is written."""
        for name, value in values.items():
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def write(self, step: int, pictures: int, seconds: float) -> None:
        means = {name: float(self.sums[name]) / self.counts[name] for name in self.sums}
        line = f"step {step} pictures {pictures} seconds {seconds:.0f} "
        print(line + " ".join(f"{name} {value:.4f}" for name, value in means.items()), flush=True)
        with self.path.open("a") as file:
            for name, value in means.items():
                file.write(f"{step},{pictures},{seconds:.0f},{name},{value:.5f}\n")
        self.sums.clear()
        self.counts.clear()
