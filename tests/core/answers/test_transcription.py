"""Questions that ask for the text itself are told from others."""

import pytest

from core.answers.transcription import as_markdown, asks_for_text


@pytest.mark.parametrize(
    "question",
    (
        "Extract all text|extract all text|Read text|read the text|what does it say, word by word|"
        "What does it say exactly?|transcribe|Transcribe this picture please|OCR|ocr this|提取文字|识别文字|"
        "提取所有文字|请提取图片中的所有文字|识别图中的文字|读取文字|文字识别|Read the small print|看清小字|"
        "图片里写了什么？|上面写的是什么|Please extract the text from this image|Copy the text exactly|"
        "Give me the full text|write down everything that is written here|输出全文|把图片上的字逐字写出来|"
        "What is written here?|Extract the text verbatim|提取内容|return only the text|Read out all words|"
        "what's written on the sign|Extract\nall text|extract every word|text extraction|Read it out loud, please|"
        "read this|read it to me|Read everything|copy this out|把图里的字打出来|图片上的文字是什么|帮我把图片转成文字|"
        "转文字|扫描文字|全文输出|读出来|念给我听|图中的文字有什么|文字全部抄下来"
    ).split("|"),
)
def test_the_text_itself_is_asked_for(question: str) -> None:
    assert asks_for_text([question])


@pytest.mark.parametrize(
    "question",
    (
        "What does it say?|What is the total?|Extract the total|Translate the text|提取文字并翻译|"
        "Extract all text as a table|总金额是多少|Where is the text?|Describe this picture.|"
        "read the text and tell me the total|提取数字|What does it say about prices|How many words are there|"
        "Summarize the text|Extract the text into JSON|提取文字，整理成表格|Which quarter is the highest?|"
        "Show me where the words are|这段文字是什么意思|go on|List the items|What are the selling points?|"
        "Got a reading?|用表格列出文字|Read this and say which is cheaper|read it backwards|copy this style|"
        "这个字是谁写的|文字转成语音的按钮在哪|转账金额|这些内容是什么意思|扫描日期是哪天"
    ).split("|"),
)
def test_more_or_something_else_is_asked_for(question: str) -> None:
    assert not asks_for_text([question])


def test_going_on_is_about_what_came_before() -> None:
    assert asks_for_text(["What is it?", "Read text", "go on", "继续"])
    assert not asks_for_text(["Read text", "What is it?", "please continue"])
    assert not asks_for_text([])


def test_a_transcription_grows_as_an_open_code_block() -> None:
    assert as_markdown("- 320", ["Read text"], growing=True) == "```\n- 320"
    assert as_markdown("- 320", ["Read text"]) == "```\n- 320\n```"
    assert as_markdown("a ``` b", ["Read text"]) == "````\na ``` b\n````"
    assert as_markdown(" \n", ["Read text"]) == ""


@pytest.mark.parametrize(
    ("growing", "settled"),
    [
        ("Total:\n- 3", "Total:\n"),
        ("Total:\n- apples", "Total:\n- apples"),
        ("it says __ini", "it says "),
        ("it says __init__ and", "it says __init__ and"),
        ("合计：**123**元", "合计：**123**元"),
        ("合计：**12", "合计："),
        ("1. ", ""),
        ("Sum\n==", "Sum\n"),
    ],
)
def test_marks_that_are_not_decided_yet_are_held_back(growing: str, settled: str) -> None:
    assert as_markdown(growing, ["What is it?"], growing=True) == settled
