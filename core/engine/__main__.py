"""Run the commands of `core.benchmark`: `python -m core.engine bench`, `crowd` and `compare`."""

from core.benchmark.commands import main

if __name__ == "__main__":
    main()
