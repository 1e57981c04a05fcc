"""Recognize questions that ask for a picture's text itself. Their answers are shown character for character."""

import re
from collections.abc import Sequence

from core.answers.markdown import settled, verbatim

_ENGLISH = re.compile(
    r"\b(?:transcri(?:be|bing|ption)|ocr|verbatim)\b"
    r"|\b(?:word|letter|character|line) (?:by|for) (?:word|letter|character|line)\b"
    r"|\b(?:extract|read|copy|recogni[sz]e|get|give|return|output|type|write|show|print|capture|retrieve|pull)\b"
    r"[^.?!;]{0,40}\b(?:texts?|words|every word|wording|writing|written|print|lettering|characters|says?)\b"
    r"|\b(?:text|word) (?:extraction|recognition)\b"
    r"|\bread (?:it|this|that|them|these|everything|all)(?: of it)?(?: out)?(?: a?loud)?(?: to me)?(?:,? please)?\W*$"
    r"|\bcopy (?:it|this|that|everything)(?: out)?(?:,? please)?\W*$"
    r"|\bwhat (?:does|do) (?:it|this|that|they|these) say,? (?:exactly|literally|precisely)"
    r"|\bwhat(?:'s| is) (?:written|printed)\b",
    re.IGNORECASE,
)
_CHINESE = re.compile(
    "(?:提取|识别|識別|读取|讀取|读出|讀出|读一下|读|念出|念一下|抄写|抄錄|抄录|抄下|摘录|转写|轉寫|转录|输出|輸出|打出|列出|写出|寫出|给出|显示|获取)"
    "[^，。？！；\n]{0,12}(?:文字|文本|文案|(?<![数數])字|原文|全文|内容|內容)"
    "|(?:文字|文本)(?:提取|识别|識別|扫描|掃描)|[转轉扫掃][^，。？！；\n]{0,6}(?:文字|文本)|全文(?:输出|輸出)"
    "|(?:文字|文本|(?<![数數])字|原文|全文|内容|內容)[^，。？！；\n]{0,6}(?:[打写寫读讀念抄输輸列]|提取|识别|識別)[一]?[出下]"
    r"|(?:文字|文本)(?:都|全部)?(?:是|有)(?:什么|什麼|啥)|[读讀念](?:出来|出來|给我听|給我聽)\W*$"
    "|逐字|逐行|一字不[差漏]|写[了着的是]*(?:什么|啥)字?|寫[了著的是]*什麼|看清小字"
)
_MORE = re.compile(  # requests that a transcription alone does not answer
    r"\b(?:translat\w*|summar\w*|explain\w*|describe\w*|compare\w*|convert\w*|answer|tell|calculate|sum|total|count"
    r"|where|who|why|which|how|in (?:english|chinese)"
    r"|(?:as|into|in|to|a|an) (?:a |an )?(?:markdown|table|csv|json|yaml|xml|html|latex|list|bullets?)\b)"
    "|翻译|翻譯|总结|總結|概括|解释|解釋|描述|比较|比較|转换|轉換|[转轉]成(?!文字|文本)|表格|格式|多少|哪|谁|誰|为什么|告诉|合计|计算|列表|回答|意思|用[英中]",
    re.IGNORECASE,
)
_GO_ON = re.compile(
    r"\W*(?:please )?(?:go on|continue|carry on|keep going|and (?:then|the rest)|the rest|more|next)(?: please)?\W*"
    r"|\W*(?:请)?(?:继续|繼續|接着|接著|往下|还有呢|然后呢)(?:写|说|读|念|吧)?\W*",
    re.IGNORECASE,
)


def as_markdown(answer: str, questions: Sequence[str], growing: bool = False) -> str:
    """Return the answer to the last of the questions as Markdown; while it grows, as far as it is certain."""
    if asks_for_text(questions):
        return verbatim(answer, growing)
    return settled(answer) if growing else answer


def goes_on(question: str) -> bool:
    """Return whether the question only asks for more of the answer before it."""
    return _GO_ON.fullmatch(question) is not None


def asks_for_text(questions: Sequence[str]) -> bool:
    """Return whether the last question asks for the text itself, or to go on with it."""
    for question in reversed(questions):
        if not goes_on(question):
            found = _ENGLISH.search(question) or _CHINESE.search(question)
            return bool(found) and not _MORE.search(question)
    return False
