"""`python -m core.engine bench`, `crowd` and `compare`: the commands of `core.benchmark`."""

from core.benchmark.commands import main

if __name__ == "__main__":
    main()
