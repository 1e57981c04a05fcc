"""The engine and transformers are asked the same, so that their tables can be compared."""

from PIL import Image

from core.model.precision import Precision
from tests.demo import SAMPLES
from training.chat import Chat, ChatModel
from training.engine_model import EngineModel
from training.tokenizer import DEMO

QUESTIONS = {
    "invoice": ("Who is the seller?", "What is the total?"),
    "product": ("What is the name?", "And the price?"),
}


def test_the_engine_in_float32_answers_like_transformers() -> None:
    transformers, engine = ChatModel(DEMO), EngineModel(DEMO, Precision.FLOAT32)
    chats = [Chat() for _ in QUESTIONS]
    for turn in range(2):
        for chat, (name, questions) in zip(chats, QUESTIONS.items(), strict=True):
            chat.ask(questions[turn], [] if turn else [Image.open(SAMPLES / f"{name}.png").convert("RGB")])
        expected = transformers.answers(chats)
        assert engine.answers(chats) == expected
        for chat, answer in zip(chats, expected, strict=True):
            chat.answered(answer)
    assert len({message["content"] for chat in chats for message in chat.messages if message["role"] != "user"}) == 4
