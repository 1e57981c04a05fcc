"""Hold a question with all that came with it, until it is on disk or answered."""

from collections.abc import Sequence
from dataclasses import dataclass

from bots.web.message import WebMessage
from core.image import Image
from core.pictures.documents import Document


@dataclass(frozen=True, slots=True)
class Submission:
    """A question as it came. It `begins` its conversation, which need not be there yet, or goes on with one."""

    conversation_id: str
    web_message: WebMessage
    images: Sequence[Image] = ()
    documents: Sequence[Document] = ()  # to be kept once there is a conversation
    begins: bool = False
