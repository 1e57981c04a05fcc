"""Thanks, laughter and emoji are told from questions."""

import pytest

from core.small_talk import is_small_talk


@pytest.mark.parametrize(
    "text",
    (
        "thanks|Thanks!|thank you so much!!|thx|ty|hahaha|haha 😂|LOL!!!|lmao"
        "|谢谢|谢谢啦|谢谢你！|多谢多谢|哈哈哈|哈哈哈哈，笑死我了"
        "|👍|👍👍|👍🏽|❤️|🙏 🙏|:)|<3|xD|hahahah thanks|ok thanks|Great, thank you!|好的，谢谢|谢谢啊～"
        "|嘿嘿|呵呵|hhhh|thaaaanks|非常感谢您的帮助"
        "|辛苦了|ok谢谢|🇩🇪|thanks for your help|^_^|That's all, thanks.|謝謝你|Perfect thanks 🙏🏼"
        "|thanks bro|Thanks! That helps.|thanks, it works now|thanks for your time|谢谢！很有帮助|太好了，谢谢，很有用"
    ).split("|"),
)
def test_small_talk_is_no_question(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    (
        "|ok|?|thanks?|What is the total?|he|hi|1️⃣|5|👍 what is it|谢谢，总金额是多少|哈尔滨在哪|total|$5|...|h|❓"
        "|谢谢卡上写了什么|who is thanked|haha what does it say|©|number 5 thanks|嘿|Lola|2333|thanks giving date"
        "|翻译一下，谢谢|read it please thanks"
        "|what time is it, thanks|thanks, how does it work|does it help|有用吗|谢谢，有什么用"
    ).split("|"),
)
def test_a_question_stays_one_however_friendly_it_is(text: str) -> None:
    assert not is_small_talk(text)
