"""Recognize words that a person sent as a comment to what they forward."""

from telegram import Message

from bots.telegram.inquiry import Inquiry
from bots.telegram.message import author_of

COMMENT_MATCH_SECONDS = 2  # a forward that follows its sender's words so soon belongs to them


def belongs_to(comment: Message, forward: Message) -> bool:
    """Return whether a message was forwarded with these words as a comment.

    Clients send the comment first, as a message of its own. Source: how Telegram's clients send "forward with a
    comment"; both messages have nearly the same second.
    """
    seconds = (forward.date - comment.date).total_seconds()
    return author_of(comment) == author_of(forward) and 0 <= seconds <= COMMENT_MATCH_SECONDS


def may_be_comment(message: Message, inquiry: Inquiry) -> bool:
    """Return whether a forward with these words as its comment may follow: the words refer to nothing else."""
    plain = inquiry.command in (None, "new") and not message.forward_origin
    return plain and bool(inquiry.text) and not (inquiry.files or inquiry.others or inquiry.about)
