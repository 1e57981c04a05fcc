"""How the bot calls what it cannot look at."""

from core.i18n import Voice


def called(kind: str, voice: Voice) -> str:
    """The name of a field of a message that carries no picture, in words; a file's own name stays."""
    match kind:
        case "video" | "video_note":
            return voice.say("the video")
        case "animation":
            return voice.say("the animation")
        case "voice" | "audio":
            return voice.say("the recording")
        case "sticker" | "dice":
            return voice.say("the sticker")
        case "checklist":
            return voice.say("the checklist")
        case "poll":
            return voice.say("the poll")
        case "location" | "venue":
            return voice.say("the location")
        case "document":
            return voice.say("the file")
        case "contact" | "game" | "invoice" | "paid_media" | "rich_message" | "story":
            return voice.say("one part of the message")
        case _:
            return kind
