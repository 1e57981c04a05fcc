"""Name what the bot cannot look at."""

from core.i18n import Translator


def describe_kind(kind: str, translator: Translator) -> str:
    """Return words for a field of a message that carries no picture. A file's own name stays."""
    match kind:
        case "video" | "video_note":
            return translator.say("the video")
        case "animation":
            return translator.say("the animation")
        case "voice" | "audio":
            return translator.say("the recording")
        case "sticker" | "dice":
            return translator.say("the sticker")
        case "checklist":
            return translator.say("the checklist")
        case "poll":
            return translator.say("the poll")
        case "location" | "venue":
            return translator.say("the location")
        case "document":
            return translator.say("the file")
        case "contact" | "game" | "invoice" | "paid_media" | "rich_message" | "story":
            return translator.say("one part of the message")
        case _:
            return kind
