"""Tell what a model thought before its answer from the answer itself.

Some engines elsewhere send the thoughts of a Thinking model in the answer, between `<think>` and `</think>`.
"""

import re

BEGIN, END = "<think>", "</think>"
_END_ONLY = re.compile(rf"^{END}[ \t]*$", re.MULTILINE)  # on a line of its own; elsewhere it may be print
_END_LINE = re.compile(rf"^{END}[ \t]*\n", re.MULTILINE)  # the same while the answer grows: the line may go on


def split(text: str) -> tuple[str, str]:
    """Return the thoughts, and the answer after them. Thoughts that do not end are all there is so far.

    Some templates write the beginning themselves, so that only the end is in the text.
    """
    start = text.lstrip()
    if start.startswith(BEGIN):
        thought, _, answer = start.removeprefix(BEGIN).partition(END)
        return thought.strip(), answer.lstrip()
    if end := _END_ONLY.search(text):
        return text[: end.start()].strip(), text[end.end() :].lstrip()
    return "", text


def without(text: str) -> str:
    """Return the answer alone, as later questions need it."""
    return split(text)[1]


def told_as_answer(growing: str) -> str:
    """Return thoughts that looked like an answer until their end came, because a template wrote their beginning."""
    if growing.lstrip().startswith(BEGIN) or not (end := _END_LINE.search(growing)):
        return ""
    return growing[: end.start()].strip()


def so_far(growing: str) -> str:
    """Return the thoughts of a growing answer without what may become their end."""
    if not growing.lstrip().startswith(BEGIN):
        return ""
    thought = split(growing)[0]
    begun = next((size for size in range(len(END) - 1, 0, -1) if thought.endswith(END[:size])), 0)
    return thought[: len(thought) - begun].rstrip()


def may_begin(growing: str) -> bool:
    """Return whether the beginning of an answer may become that of thoughts."""
    return BEGIN.startswith(growing.lstrip())
