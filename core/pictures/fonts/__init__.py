"""Provide the product's font: Latin, Greek, Cyrillic, Chinese, Japanese and Korean. See README.md."""

from pathlib import Path

FOLDER = Path(__file__).parent
PATH = FOLDER / "WenQuanYiMicroHei.ttf"
