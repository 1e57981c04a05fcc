"""`python -m core.engine bench`, `crowd` and `compare`: the commands of `core.measure`."""

from core.measure.commands import main

if __name__ == "__main__":
    main()
