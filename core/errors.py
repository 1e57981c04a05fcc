"""Define the errors that are worth telling a person.

    BotError                text for the person in the chat
    ├── BadImage            this file cannot be looked at, and what would work
    │   ├── TooLarge        ... because of its size
    │   └── NotDelivered    ... because the platform did not deliver it this time
    ├── BadQuestion         nothing to answer, or too long
    │   ├── NoRoom          ... because nothing more can be kept
    │   ├── NoPicture       ... because there is nothing to look at
    │   ├── BadSchema       ... because no answer can be kept within the JSON Schema that was asked for
    │   └── Unanswerable    ... because the model computes values that are not finite
    ├── Busy                the queue is full, or a quota is used up; when to come back
    │   ├── QuotaReached    ... because one person asked enough for now
    │   ├── QueueFull       ... because too many questions wait
    │   ├── EarlierQuestionsWait ... because those of the same person or conversation wait
    │   ├── OutOfMemory     ... because memory ran out
    │   └── Interrupted     nothing can be answered now; stored messages are tried again by themselves
    │       ├── StoreDown   ... because nothing can be read or written
    │       ├── EngineEnded ... before the service is started again
    │       ├── EngineUnreachable ... before an engine elsewhere can be reached
    │       └── ModelLoading ... before the model is loaded
    ├── EngineMissing       the service runs without a model; the operator must install one
    ├── NotAllowed          who may use this, and how to get in
    ├── NotFound            no such picture or answer
    │   └── ConversationGone ... because there is no such conversation
    └── OperatorError       text for the person who runs the service: config, model files, tokens
        └── ModelMissing    the model is not on this machine, and how to get it

Any other exception is a bug: its traceback goes to the log, and one plain sentence to the chat.
"""

from typing import Any, ClassVar


class BotError(Exception):
    """A sentence for a person. `sentence` is a message id of the catalogue (`core.i18n`) with `{named}` values.

    `str()` gives its English text. `retryable` tells whether asking again at once may help; then people get a button.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, sentence: str, **values: Any) -> None:
        super().__init__(sentence.format(**values) if values else sentence)
        self.sentence = sentence
        self.values = values


class BadImage(BotError):
    retryable = False


class TooLarge(BadImage):
    pass


class NotDelivered(BadImage):
    retryable = True


class BadQuestion(BotError):
    retryable = False


class NoPicture(BadQuestion):
    pass


class NoRoom(BadQuestion):
    pass


class BadSchema(BadQuestion):
    pass


class Unanswerable(BadQuestion):
    pass


class Busy(BotError):
    """Raised when there is no room now. `retry_after` is in seconds."""

    def __init__(self, sentence: str, retry_after: float = 30.0, **values: Any) -> None:
        super().__init__(sentence, **values)
        self.retry_after = retry_after


class QuotaReached(Busy):
    retryable = False  # not before `retry_after`


class QueueFull(Busy):
    """Raised when so many questions wait already that a further one would wait too long."""

    def __init__(self) -> None:
        super().__init__("Too many questions are waiting already. Please ask again in a minute.", retry_after=60.0)


class EarlierQuestionsWait(Busy):
    """Raised when so many questions of a person or a conversation wait already."""

    def __init__(self) -> None:
        super().__init__("Please wait for the answers to your earlier questions first.", retry_after=10.0)


class OutOfMemory(Busy):
    pass


class Interrupted(Busy):
    pass


class EngineEnded(Interrupted):
    pass


class EngineUnreachable(Interrupted):
    pass


class ModelLoading(Interrupted):
    pass


class StoreDown(Interrupted):
    """Raised when the database cannot be used. `reason` is for the operator."""

    def __init__(self, sentence: str, retry_after: float = 30.0, reason: str = "", **values: Any) -> None:
        super().__init__(sentence, retry_after, **values)
        self.reason = reason


class EngineMissing(BotError):
    pass


class NotAllowed(BotError):
    retryable = False


class NotFound(BotError):
    retryable = False


class ConversationGone(NotFound):
    """The conversation is unknown, or another person's; the error does not say which."""

    def __init__(self) -> None:
        super().__init__("There is no such conversation. It was deleted or has expired.")


class OperatorError(BotError):
    pass


class ModelMissing(OperatorError):
    pass
