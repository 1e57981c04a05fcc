"""Run turns: load the history, ask the engine, save the answer; one turn at a time per conversation.

Knows no platform, model or database.
"""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from core import work_context
from core.answer import Answer, Ending
from core.answer_log import AnswerLog
from core.conversation import MOST_PICTURES, Conversation, Question, Turn
from core.conversation_lock import ConversationLocks
from core.durations import Stopwatch
from core.errors import BadQuestion, BotError, Interrupted, NoPicture, NotFound
from core.events import BeganAgain, ConversationLoaded, Event, PicturesRemoved, Piece, Tell
from core.history import History
from core.image import Image
from core.leases import Leases
from core.quota import Quota, QuotaConfig
from core.sampling import Sampling
from core.shielded import shielded
from core.single_replica import SingleReplica
from core.small_talk import is_small_talk
from core.stats import Stats
from core.stop import Stop
from core.storable import storable

QUESTION_CHARACTERS = 8_000  # more would not fit together with pictures


class Engine(Protocol):
    """What answers: `core.engine.engine.Engine`, or the tests' scripted one."""

    async def answer(self, conversation: Conversation, sampling: Sampling, tell: Tell) -> Answer:
        """Answer the open last turn. Raises `BotError`. Cancelling it frees the model."""
        ...

    async def encode_ahead(self, image: Image) -> None:
        """Encode a picture ahead of its question, when nothing else waits. Never raises for a busy engine."""
        ...


@dataclass(frozen=True, slots=True)
class _EngineQuestion:
    """What the engine is asked, how, and the key of the turn that is replaced.

    `quota_key` is the key under which it is counted, and `images` are the ids of the pictures that it brings.
    """

    conversation: Conversation
    sampling: Sampling
    quota_key: str
    images: Sequence[str] = ()
    replaces: str | None = None


class Assistant:
    def __init__(
        self,
        engine: Engine,
        history: History,
        sampling: Sampling = Sampling(),
        quota: QuotaConfig = QuotaConfig(),
        leases: Leases | None = None,
    ) -> None:
        self.history = history
        self.stats = Stats()
        self._log = AnswerLog(self.stats)
        self._quota = Quota(quota, history, leases or SingleReplica())
        self._engine = engine
        self.sampling = sampling
        self._locks = ConversationLocks()

    async def ask(
        self,
        conversation_id: str,
        question: Question,
        key: str,
        person: str | None = None,
        tell: Tell = lambda event: None,
        stop: Stop | None = None,
        replaces: str | None = None,
    ) -> Answer:
        """Answer a question and save the turn once under `key`. The same key gets the same answer again.

        `person` is who asks, for the quotas; by default it is the conversation. `stop` may stop it at any time, also
        before it begins. `replaces` is the key of the answer to earlier words of an edited question. The turn is saved
        as done, length, stopped or failed. Cancelling `ask` itself, at shutdown or when the caller is gone, frees the
        model and saves nothing: the question stays open and may be asked again. Raises `BotError` with a sentence for
        the person.
        """
        check_length(question.text)
        person = person or conversation_id

        async def prepare() -> _EngineQuestion:
            conversation = await self.history.load(conversation_id)
            whole = await self._with_data(question, conversation)
            conversation = conversation.ask(replace(whole, text=storable(question.text)))
            _check_answerable(conversation)
            images = (*whole.images, *(picture.image for picture in whole.small_print))
            await self.history.make_room(person, images)
            ids = [image.id for image in images]
            return self._engine_question(conversation, question.again, replaces or key, ids, replaces)

        return await self._answer_once(conversation_id, key, person, prepare, tell, stop or Stop())

    async def retry(
        self,
        conversation_id: str,
        key: str,
        person: str | None = None,
        tell: Tell = lambda event: None,
        stop: Stop | None = None,
    ) -> Answer:
        """Answer the last question again with other random choices, replacing the old answer. Otherwise like `ask`."""
        person = person or conversation_id

        async def prepare() -> _EngineQuestion:
            return await self._repeated_question(await self.history.load(conversation_id), key)

        return await self._answer_once(conversation_id, key, person, prepare, tell, stop or Stop())

    async def edit(
        self,
        conversation_id: str,
        number: int,
        text: str,
        key: str,
        person: str | None = None,
        tell: Tell = lambda event: None,
        stop: Stop | None = None,
    ) -> Answer:
        """Answer question `number`, from 1, in the new words `text`, replacing the old ones and their answer.

        The model sees what was asked before it. What was asked since then stays as it is. Otherwise like `ask`.
        """
        check_length(text)
        person = person or conversation_id

        async def prepare() -> _EngineQuestion:
            conversation = (await self.history.load(conversation_id)).until(number)
            if len(conversation.turns) < number:
                raise NotFound("There is no such answer in this conversation.")
            return await self._repeated_question(conversation, key, text)

        return await self._answer_once(conversation_id, key, person, prepare, tell, stop or Stop())

    async def complete(self, conversation: Conversation, sampling: Sampling, person: str, tell: Tell) -> Answer:
        """Answer the open last turn of a conversation that its caller keeps, and nothing of it here.

        Quotas and errors are as in `ask`. Cancelling it frees the model.
        """
        watch = Stopwatch(work_context.current().arrived)

        def hear(event: Event) -> None:
            if isinstance(event, Piece):
                watch.saw_token()
            tell(event)

        async with self._quota.admit(person):
            with self._log.noting_failures():
                try:
                    async with self._quota.question(person, conversation.id, list(conversation.images)):
                        with self._log.counting(watch):
                            answer = await self._engine.answer(conversation, sampling, hear)
                except Interrupted:
                    await self.give_up(person, conversation.id)
                    raise
                self._log.note(answer, watch)
                return answer

    async def add_pictures(
        self, conversation_id: str, images: Sequence[Image], person: str | None = None, *, begins: bool = True
    ) -> tuple[list[int], tuple[int, ...]]:
        """Save pictures without a question, and encode them while the question is being typed.

        Returns their numbers, and the numbers of earlier pictures that were removed to make room. `person` is as in
        `ask`, and `begins` as in `History.add_pictures`.
        """
        person = person or conversation_id
        await self._quota.count_pictures(person, [image.id for image in images])
        await self.history.make_room(person, images)
        numbers = list(await self.history.add_pictures(conversation_id, images, person, begins=begins))
        for image in images:
            await self._engine.encode_ahead(image)
        surplus: tuple[int, ...] = ()
        if max(numbers, default=0) > MOST_PICTURES:
            surplus = (await self.history.outline(conversation_id)).surplus
            await self._remove(conversation_id, surplus)
        return numbers, surplus

    async def check_question(self, person: str) -> None:
        """Raise `Busy` if a question of this person would be refused now, before its pictures are opened."""
        await self._quota.check_question(person)

    async def count_contents(self, person: str, digests: Collection[str]) -> None:
        """Count files by what is in them, before they are opened: each once a minute, however often it is sent.

        Raises `QuotaReached` and `BadQuestion`.
        """
        await self._quota.count_contents(person, digests)

    async def count_files(self, person: str, key: str, count: int) -> None:
        """Count a message's files against the person's quota before they are fetched and opened. Raises `Busy`."""
        await self._quota.count_files(person, key, count)

    async def give_up(self, person: str, key: str) -> None:
        """Count a question no longer that was interrupted, and that is stored nowhere to be asked again."""
        await self._quota.uncount(person, key)

    def stop(self, conversation_id: str) -> bool:
        """Stop the running answer, if there is one. It is saved as far as it got."""
        return self._locks.stop(conversation_id)

    async def forget(self, conversation_id: str, key: str | None = None) -> tuple[str, ...]:
        """Forget a conversation. `key` is the key of the message that asked for it.

        Returns the platform's ids of messages posted for unfinished answers.
        """
        self.stop(conversation_id)
        async with self._locks.take(conversation_id):
            return await self.history.forget(conversation_id, key)

    async def restart(self, conversation_id: str) -> None:
        async with self._locks.take(conversation_id):
            await self.history.restart(conversation_id)

    async def remove_picture(self, conversation_id: str, number: int) -> None:
        async with self._locks.take(conversation_id):
            if not await self.history.remove_picture(conversation_id, number):
                raise NotFound("There is no picture {number} in this conversation.", number=number)

    async def _repeated_question(
        self, conversation: Conversation, key: str, text: str | None = None
    ) -> _EngineQuestion:
        """Return the last question once more, by default in the same words. Raises `NotFound` if there is none."""
        number = len(conversation.turns)
        old_key = await self.history.key_of_turn(conversation.id, number) if number else None
        if old_key is None:
            raise NotFound("There is no question to answer again yet. Send a picture and ask about it.")
        old = conversation.turns[-1]
        words = old.text if text is None else storable(text)
        turns = (*conversation.turns[:-1], replace(old, text=words, answer=None))
        conversation = replace(conversation, turns=turns)
        _check_answerable(conversation)
        return self._engine_question(conversation, words == old.text, key, (), old_key)

    def _engine_question(
        self, conversation: Conversation, again: bool, quota_key: str, images: Sequence[str], replaces: str | None
    ) -> _EngineQuestion:
        """Return the question as the conversation's settings have it; `again` with other random choices."""
        settings = conversation.settings
        sampling = settings.limit(self.sampling.for_retry() if again else self.sampling)
        conversation = replace(conversation, system=settings.system)
        return _EngineQuestion(conversation, sampling, quota_key, images, replaces)

    async def _answer_once(
        self,
        conversation_id: str,
        key: str,
        person: str,
        prepare: Callable[[], Awaitable[_EngineQuestion]],
        tell: Tell,
        stop: Stop,
    ) -> Answer:
        """Return the answer saved under `key` without using the quota, or write a new one."""
        answer = await self._saved(key)
        if answer is None:
            arrived = work_context.current().arrived
            async with self._quota.admit(person):
                with self._log.noting_failures():
                    async with self._locks.take(conversation_id):
                        answer = await self._saved(key)  # the same request may be sent twice at once
                        if answer is None:
                            watch = Stopwatch(arrived)
                            asked = await prepare()
                            was_answered = asked.quota_key == asked.replaces
                            async with self._quota.question(person, asked.quota_key, asked.images, was_answered):
                                return await self._write(asked, key, person, tell, stop, watch)
        stop.saved = True
        tell(ConversationLoaded(await self.history.load(conversation_id)))
        tell(Piece(answer.text))
        return answer

    async def _with_data(self, question: Question, conversation: Conversation) -> Question:
        """Return the question with its pictures' data, if it names them by an outline's images. Raises `NotFound`."""
        known = conversation.images

        async def whole(image: Image) -> Image:
            return image if image.data else known.get(image.id) or await self.history.picture(image.id)

        images = [await whole(image) for image in question.images]
        small_print = [replace(picture, image=await whole(picture.image)) for picture in question.small_print]
        return replace(question, images=tuple(images), small_print=tuple(small_print))

    async def _saved(self, key: str) -> Answer | None:
        turn = await self.history.answered(key)
        return turn.answer if turn else None

    async def _write(
        self,
        asked: _EngineQuestion,
        key: str,
        person: str,
        tell: Tell,
        stop: Stop,
        watch: Stopwatch,
    ) -> Answer:
        surplus = asked.conversation.surplus
        conversation = asked.conversation.without(surplus)
        turn = conversation.turns[-1]
        pieces: list[str] = []
        tell(ConversationLoaded(conversation))

        def hear(event: Event) -> None:
            if isinstance(event, Piece):
                watch.saw_token()
                pieces.append(event.text)
            elif isinstance(event, BeganAgain):
                pieces.clear()
            tell(event)

        try:
            with self._log.counting(watch):
                answer = None
                if not stop.requested:
                    writing = self._engine.answer(conversation, asked.sampling, hear)
                    answer = await self._locks.until_stopped(conversation.id, writing, stop)
                answer = answer or Answer("".join(pieces), Ending.STOPPED)
        except BotError:
            raise  # the answer did not begin (busy, too long), so there is nothing to save
        except Exception:
            failed = Answer("".join(pieces), Ending.FAILED)
            await self._save(conversation.id, replace(turn, answer=failed), key, asked.replaces, person, stop)
            raise
        await self._save(conversation.id, replace(turn, answer=answer), key, asked.replaces, person, stop)
        self._log.note(answer, watch)
        if surplus:
            await self._remove(conversation.id, surplus)
            tell(PicturesRemoved(surplus))
        return answer

    async def _save(
        self, conversation_id: str, turn: Turn, key: str, replaces: str | None, person: str, stop: Stop
    ) -> None:
        """Save a turn, which is not stopped any more.

        An edit, or a command to forget, that cancels this finds the turn saved, or never will.
        """
        stop.whole = True
        await shielded(self.history.save(conversation_id, turn, key, replaces, person))
        stop.saved = True

    async def _remove(self, conversation_id: str, numbers: Sequence[int]) -> None:
        for number in numbers:
            await self.history.remove_picture(conversation_id, number, keeps_document=True)


def check_length(question: str) -> None:
    """Raise `BadQuestion` for more words than fit together with pictures."""
    if len(question) > QUESTION_CHARACTERS:
        raise BadQuestion("Your question is too long: at most {limit} characters, please.", limit=QUESTION_CHARACTERS)


def _check_answerable(conversation: Conversation) -> None:
    """Raise `BadQuestion` if a model could only invent an answer to the last question."""
    if not conversation.pictures:
        raise NoPicture("There is no picture to look at. Please send one with your question.")
    if is_small_talk(conversation.turns[-1].text):
        raise BadQuestion("🙂 Ask me about a picture at any time.")
