"""Name the version of the product that is installed."""

import importlib.metadata

VERSION = importlib.metadata.version("picture-answers")
