"""Read from the terminal's options how its questions are answered, as /settings does in a chat."""

from bots.conversing.conversation_settings import change
from core.settings import ConversationSettings


def settings_of_options(**options: str) -> ConversationSettings:
    """Return the settings that options give by their names. An empty one changes nothing. Raises `BadQuestion`."""
    wanted = ConversationSettings()
    for name, value in options.items():
        if value.strip():
            wanted = change(wanted, name, value.strip())
    return wanted
