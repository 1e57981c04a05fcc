"""Show and change the settings of a conversation, by words or by a button."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from bots.conversing.answer_action import AnswerAction
from bots.conversing.command_result import CommandResult
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from core.errors import BadQuestion, NotAllowed
from core.i18n import Translator
from core.note import Note
from core.settings import INSTRUCTION_CHARACTERS, LANGUAGE_CHARACTERS, ConversationSettings, Length, Sharpness

Value = TypeVar("Value")
NOTHING = frozenset({"off", "none", "无", "关", "关闭"})
RESET = frozenset({"reset", "重置"})
LENGTHS = {"short": Length.SHORT, "短": Length.SHORT, "long": Length.LONG, "长": Length.LONG}
LENGTHS |= {"normal": Length.NORMAL, "正常": Length.NORMAL}
SHARPNESSES = {"high": Sharpness.HIGH, "高": Sharpness.HIGH, "normal": Sharpness.NORMAL, "正常": Sharpness.NORMAL}
SWITCH = {"on": True, "开": True, "打开": True} | dict.fromkeys(NOTHING, False)
LENGTH_NAMES = {Length.SHORT: Note("short"), Length.NORMAL: Note("normal"), Length.LONG: Note("long")}
SHARPNESS_NAMES = {Sharpness.NORMAL: Note("normal"), Sharpness.HIGH: Note("high")}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as people write it: its name, an example of a value, and what a value makes of the settings."""

    name: str
    chinese: str
    example: Note
    change: Callable[[ConversationSettings, str], ConversationSettings]


def is_setting(words: str) -> bool:
    """Return whether words change a setting, and ask nothing about a picture."""
    first, *rest = words.split(maxsplit=1) or [""]
    if not rest:
        return first.lower() in RESET
    setting = _SETTINGS.get(first.lower())
    asks = words.rstrip().endswith(("?", "？"))
    return setting is not None and (setting.change is _instructions or not asks)


async def settings(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    """Carry out /settings: show them, or change one. Raises `BadQuestion` and `NotAllowed`."""
    known = await services.store.settings(request.conversation_id)
    words = request.text.strip()
    if words and words.lower() not in _SETTINGS:  # a name alone asks how it is
        await _check_allowed(request)
        known = changed(known, words)
        await services.store.change_settings(request.conversation_id, known)
    return _shown(known, request, translator)


async def press(request: AnswerRequest, services: Services, translator: Translator) -> CommandResult:
    """Carry out a button below the settings. Raises `NotAllowed`."""
    await _check_allowed(request)
    change = BUTTONS[AnswerAction(request.command or "")]
    known = change(await services.store.settings(request.conversation_id))
    await services.store.change_settings(request.conversation_id, known)
    return _shown(known, request, translator)


async def _check_allowed(request: AnswerRequest) -> None:
    if not await request.hooks.may_change_settings():
        raise NotAllowed("Only the admins of this group, or the person who began the thread, may change its settings.")


def _shown(known: ConversationSettings, request: AnswerRequest, translator: Translator) -> CommandResult:
    """Return the settings with a way to change each, and offer buttons for those that have few values."""
    request.hooks.offer(tuple(action for action, change in BUTTONS.items() if change(known) != known))
    say, prefix = translator.say, request.platform.prefix
    word = prefix + ("设置" if translator.language == "zh" and not prefix else "settings")
    values = {
        "instructions": known.instructions or say("none"),
        "language": known.language or say("that of the question"),
        "length": translator.explain(LENGTH_NAMES[known.length]),
        "sharpness": translator.explain(SHARPNESS_NAMES[known.sharpness]),
        "receipt": say("on (the line below an answer)") if known.receipt else say("off"),
        "keep": say("on") if known.keep else say("off (each question is forgotten once it is answered)"),
    }
    lines = [say("How I answer in this conversation:")]
    for setting in _ROWS:
        name = setting.chinese if translator.language == "zh" else setting.name
        example = request.here(f"{word} {name} {translator.explain(setting.example)}")
        value = values[setting.name]
        lines.append(say("{name}: {value} – to change it: {example}", name=name, value=value, example=example))
    lines.append(say("“off” empties one, and “{command}” all of them.", command=request.here(f"{word} {say('reset')}")))
    return CommandResult("\n".join(lines))


def changed(known: ConversationSettings, words: str) -> ConversationSettings:
    """Return the settings with what words change: a name and a value, or "reset". Raises `BadQuestion`."""
    name, *rest = words.split(maxsplit=1)
    value = rest[0].strip() if rest else ""
    if name.lower() in RESET and not value:
        return ConversationSettings()
    return change(known, name, value)


def change(known: ConversationSettings, name: str, value: str) -> ConversationSettings:
    """Return the settings with another value for one of them. Raises `BadQuestion`."""
    setting = _SETTINGS.get(name.lower())
    if setting is None or not value:
        raise BadQuestion("I do not know that setting. Say “settings” to see them all.")
    return setting.change(known, value)


def _instructions(known: ConversationSettings, value: str) -> ConversationSettings:
    if len(value) > INSTRUCTION_CHARACTERS:
        raise BadQuestion("Instructions may have at most {limit} characters.", limit=INSTRUCTION_CHARACTERS)
    return replace(known, instructions="" if value.lower() in NOTHING else value)


def _language(known: ConversationSettings, value: str) -> ConversationSettings:
    if len(value) > LANGUAGE_CHARACTERS or "\n" in value:
        raise BadQuestion("Please name a language in a few words, such as: German.")
    return replace(known, language="" if value.lower() in NOTHING else value)


def _length(known: ConversationSettings, value: str) -> ConversationSettings:
    return replace(known, length=_one_of(LENGTHS, value))


def _sharpness(known: ConversationSettings, value: str) -> ConversationSettings:
    return replace(known, sharpness=_one_of(SHARPNESSES, value))


def _receipt(known: ConversationSettings, value: str) -> ConversationSettings:
    return replace(known, receipt=_one_of(SWITCH, value))


def _keep(known: ConversationSettings, value: str) -> ConversationSettings:
    return replace(known, keep=_one_of(SWITCH, value))


def _one_of(values: Mapping[str, Value], value: str) -> Value:
    if value.lower() not in values:
        raise BadQuestion("That setting can be: {values}.", values=", ".join(values))
    return values[value.lower()]


_ROWS = (
    Setting("instructions", "要求", Note("We sell bicycles; be friendly."), _instructions),
    Setting("language", "语言", Note("German"), _language),
    Setting("length", "长度", Note("short"), _length),
    Setting("sharpness", "清晰度", Note("high"), _sharpness),
    Setting("receipt", "回执", Note("off"), _receipt),
    Setting("keep", "保留", Note("off"), _keep),
)
_SETTINGS = {name: setting for setting in _ROWS for name in (setting.name, setting.chinese)}
BUTTONS: Mapping[AnswerAction, Callable[[ConversationSettings], ConversationSettings]] = {
    AnswerAction.SHORT_ANSWERS: lambda known: replace(known, length=Length.SHORT),
    AnswerAction.NORMAL_ANSWERS: lambda known: replace(known, length=Length.NORMAL),
    AnswerAction.LONG_ANSWERS: lambda known: replace(known, length=Length.LONG),
    AnswerAction.SHARPER: lambda known: replace(known, sharpness=Sharpness.HIGH),
    AnswerAction.LESS_SHARP: lambda known: replace(known, sharpness=Sharpness.NORMAL),
    AnswerAction.SHOW_RECEIPT: lambda known: replace(known, receipt=True),
    AnswerAction.HIDE_RECEIPT: lambda known: replace(known, receipt=False),
    AnswerAction.KEEP: lambda known: replace(known, keep=True),
    AnswerAction.KEEP_NOTHING: lambda known: replace(known, keep=False),
}
