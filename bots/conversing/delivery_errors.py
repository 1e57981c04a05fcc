"""Define how writing a message on a platform can fail."""


class RetryLater(Exception):
    """The platform asks to wait, or cannot be reached. Try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.0f} s")
        self.seconds = seconds


class WriteFailed(RetryLater):
    """Like `RetryLater`, but the platform did not ask for it: the write failed, or its outcome is unknown."""


class Refused(Exception):
    """The platform will never take this message: the chat is gone or the bot is blocked."""


class NotWritable(Refused):
    """The bot may not write in this chat, but the asker can be told elsewhere."""


class Gone(Exception):
    """This message is deleted, or cannot be edited. Its chat still exists, so another message can replace it."""
