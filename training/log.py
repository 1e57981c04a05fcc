"""The training's curve: one line every few steps, to the terminal and to a CSV file beside the checkpoints."""

from training.checkpoint import DIRECTORY


class Log:
    """Means since the last line."""

    def __init__(self, name: str) -> None:
        DIRECTORY.mkdir(parents=True, exist_ok=True)
        self.path = DIRECTORY / f"{name}.csv"
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    def add(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def write(self, step: int, pictures: int, seconds: float) -> None:
        means = {name: self.sums[name] / self.counts[name] for name in self.sums}
        line = f"step {step} pictures {pictures} seconds {seconds:.0f} "
        print(line + " ".join(f"{name} {value:.4f}" for name, value in means.items()), flush=True)
        with self.path.open("a") as file:
            for name, value in means.items():
                file.write(f"{step},{pictures},{seconds:.0f},{name},{value:.5f}\n")
        self.sums.clear()
        self.counts.clear()
