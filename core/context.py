"""Choose which pictures and turns of a conversation a model is shown that can take only a few pictures.

Such a model mixes up pictures when there are more, and answers about the wrong one.
"""

import re
from dataclasses import replace

from core.conversation import Conversation, Turn
from core.picture_names import named_pictures

# Words that may mean a picture that came before. One word too many costs little: an earlier picture is shown as well.
_POINTS_BACK = re.compile(
    r"\b(?:compar\w*|both|previous|earlier|former|pictures|images|photos|which (?:picture|image|photo)"
    r"|which \w+ (?:is|has) (?:the )?(?:more|less|\w+er)"
    r"|(?:first|second|last|other|another) (?:one|picture|image|photo|document|invoice|product|chart))\b"
    r"|比较|对比|相比|之前|前面|刚才|(?:上一|前一|另一|另外一|两|哪一?|第一|第二)[张幅]|哪个.{0,8}更",
    re.IGNORECASE,
)


def shorten(conversation: Conversation, most_pictures: int | None) -> Conversation:
    """Return the conversation with few pictures, and the turns that are about them.

    The open question's own pictures always stay, and those that it names. If its words may point to others, earlier
    ones follow, newest first, until there are `most_pictures`. A question without any is about those of the last turn.
    """
    if most_pictures is None:
        return conversation
    *earlier, asked = conversation.turns
    wanted = _wanted(earlier, asked, most_pictures)
    return replace(conversation, turns=(*_turns_about(earlier, wanted), asked))


def _wanted(earlier: list[Turn], asked: Turn, most: int) -> set[int]:
    """Return the numbers of the pictures to show."""
    shown = {picture.number for turn in earlier for picture in turn.pictures}
    wanted = _meant(asked, shown)
    seen = [meant for turn in reversed(earlier) if (meant := _meant(turn, shown))]
    if _POINTS_BACK.search(asked.text):
        for number in (number for meant in seen for number in sorted(meant, reverse=True)):
            if len(wanted) < most:
                wanted.add(number)
    return wanted or next(iter(seen), set())


def _meant(turn: Turn, shown: set[int]) -> set[int]:
    """Return the numbers of a question's own pictures, and of those that it names."""
    return {picture.number for picture in turn.pictures} | (named_pictures(turn.text) & shown)


def _turns_about(turns: list[Turn], wanted: set[int]) -> list[Turn]:
    """Return the turns about wanted pictures, without others. A turn that means none is about those of the last one."""
    shown = {picture.number for turn in turns for picture in turn.pictures}
    found: list[Turn] = []
    about: set[int] = set()
    for turn in turns:
        about = _meant(turn, shown) or about
        if about & wanted:
            pictures = tuple(picture for picture in turn.pictures if picture.number in wanted)
            found.append(replace(turn, pictures=pictures))
    return found
