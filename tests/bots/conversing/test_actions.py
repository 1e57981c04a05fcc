"""What goes with an answer, without a platform."""

from bots.conversing.actions import available_actions, file_of
from bots.conversing.answer_action import AnswerAction
from bots.conversing.attachments import say_got_pictures
from core.answer import Answer, Ending
from core.conversation import Turn
from core.i18n import Translator


def test_pictures_without_a_question_are_told_in_the_order_of_their_numbers() -> None:
    assert say_got_pictures([2, 1, 3], Translator("en")) == "Got pictures 1, 2, 3. What would you like to know?"
    assert say_got_pictures([2, 1, 2], Translator("zh")) == "收到图片 1、2。您想知道什么？"
    assert say_got_pictures([1, 1], Translator("en")) == "Got picture 1. What would you like to know?"


def test_an_answer_as_a_file_holds_no_html_and_no_picture() -> None:
    text = "A *word*. <img src='//e/x'> ![y](//e/y)\n\n```\n<b>"
    file = file_of(Turn("What is it?", answer=Answer(text, Ending.DONE)), AnswerAction.TEXT)
    assert file is not None
    shown = file.data.decode()
    assert shown == "A *word*. \\<img src='//e/x'> \\!\\[y](//e/y)\n\n```\n<b>\n```"


def test_files_of_an_answer_have_no_thoughts() -> None:
    table = "| a | b |\n|--|--|\n| 1 | 2 |"
    thinking = Turn("How many?", answer=Answer(f"<think>{table}{'Hmm. ' * 1000}</think>Four.", Ending.DONE))
    assert available_actions(thinking) == ()
    assert file_of(thinking, AnswerAction.CSV) is None
    said = file_of(thinking, AnswerAction.TEXT)
    assert said is not None
    assert said.data == b"Four."
