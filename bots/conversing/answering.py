"""Turn a request into an answer on every chat platform, and tell its events.

The bot's own sentences are answers too, so that everything goes through the one loop in
`bots.conversing.streamed_reply`. Everything here can be repeated after a crash without being noticed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from bots.conversing.actions import SMALL_PRINT_FACTOR, available_actions, file_of
from bots.conversing.answer_action import BOXES, AnswerAction, first_questions
from bots.conversing.attachments import Attachments, no_picture
from bots.conversing.commands import COMMANDS, fixed_answer, obey, wants_csv
from bots.conversing.display import Display
from bots.conversing.document_pages import open_named_pages
from bots.conversing.events import Ask, Tell
from bots.conversing.parts import WHAT_IS_THIS, Pointed, box_of, cut_out, pointed_in_words
from bots.conversing.request import AnswerRequest
from bots.conversing.services import Services
from core.answer import Answer, Ending
from core.conversation import Conversation, Picture, Question, Turn
from core.errors import BadQuestion, BotError, Busy, Interrupted, NoPicture, NotFound
from core.i18n import Translator
from core.image import Image
from core.model.description import ModelDescription
from core.pictures.images import make_image
from core.small_talk import is_small_talk


async def respond(request: AnswerRequest, services: Services, translator: Translator, tell: Tell) -> Answer:
    """Answer a request. Raises `BotError`."""
    notes = list(request.notes)
    attachments = Attachments(request, services, translator, notes)
    response = _Response(request, services, translator, tell, notes, attachments)
    try:
        return await response.dispatch()
    except NoPicture as error:
        if request.chooses:
            raise
        raise NoPicture(" ".join(response.notes) or translator.explain(no_picture())) from error


@dataclass(slots=True)
class _Response:
    request: AnswerRequest
    services: Services
    translator: Translator
    tell: Tell
    notes: list[str]  # what was left out
    attachments: Attachments

    async def dispatch(self) -> Answer:
        match self.request.command:
            case None if self.request.turn:
                return await self._edit()
            case None:
                return await self._answer_question()
            case "new" if self.request.text or self.request.files:
                return await self._begin_with_a_question()
            case "retry":
                return await self._retry()
            case AnswerAction.SMALL_PRINT:
                return await self._read_small_print()
            case AnswerAction.GO_ON:
                return await self._go_on()
            case "closer" if self.request.text:
                return await self._ask_about_named_region()
            case str(action) if action in BOXES:
                return await self._look_at_box(BOXES.index(AnswerAction(action)) + 1)
            case _:
                return await self._obey()

    async def _answer_question(self) -> Answer:
        request = self.request
        if request.region is not None:
            [picture] = await self._chosen(request.pictures or ())
            return await self._ask_about_region(Pointed(picture, request.region, request.text), await self._outline())
        pictures: list[Image] = []
        answered = await self.services.assistant.history.answered(request.key)  # so only its delivery was interrupted
        if not answered:
            pictures = await self.attachments.open()
        # "haha" below a picture is no question.
        asks = bool(request.text and (answered or not is_small_talk(request.text)))
        if asks and (turn := await self._turn_about()):
            pictures += [picture.image for picture in turn.pictures]
        if request.hooks.stop.requested and not (answered or request.chooses):
            await self.attachments.keep_for_later(pictures)
            return Answer("", Ending.STOPPED)
        if asks or (request.text and not pictures):
            images = (*pictures, *request.images)
            if request.opens_pages and not (answered or self.attachments.has_pages):
                images = await self._open_named_pages(images)
            try:
                return await self._ask_assistant(
                    Question(request.text, images, request.alone, request.asker.person_if_shared)
                )
            except Interrupted:
                raise
            except Busy:  # trying again is about them too, and Telegram shows an album's or a reply's only once
                await self.attachments.keep_for_later(pictures)
                raise
        if pictures:
            request.hooks.offer(first_questions(self.services.model))
            return fixed_answer(" ".join([await self.attachments.keep(pictures), *self.notes]))
        raise no_picture()

    async def _open_named_pages(self, images: tuple[Image, ...]) -> tuple[Image, ...]:
        """Return the question's pictures, with the pages that it names of the conversation's document."""
        translator = self.translator.for_question(self.request.text)
        named = await open_named_pages(self.request, self.services, images, translator)
        if named.note:
            self.notes.append(named.note)
            self.request.hooks.on_note(named.note)
        return named.images

    async def _obey(self) -> Answer:
        """Carry out a command. Pictures that came with it are kept first, whatever its caption asks for."""
        command = self.request.command
        kept = await self.attachments.keep_all() if command in COMMANDS and COMMANDS[command].keeps_files else []
        try:
            answer = await obey(self.request, self.services, self.translator, self.tell)
        except BotError as error:
            if not kept:
                raise
            answer = fixed_answer(self.translator.explain(error))
        return replace(answer, text="\n".join(filter(None, [*kept, answer.text])))

    async def _begin_with_a_question(self) -> Answer:
        """Begin a new conversation with its first question. A repetition, or an edit, does not begin it once more."""
        answered = self.services.assistant.history.answered
        if not (await answered(self.request.key) or await answered(self.request.replaces or "")):
            await self.services.assistant.restart(self.request.conversation_id)
        return await self._answer_question()

    async def _retry(self) -> Answer:
        """Answer once more: the last question, or the one whose answer is in the message `about`."""
        request = self.request
        turn = await self._turn_about() if request.about else None
        if request.about is None or (turn is not None and await self._is_last(turn)):
            if request.about is None:
                self.notes[:] = await self.attachments.keep_all()
            retry, stop = self.services.assistant.retry, request.hooks.stop
            return await self._show(
                partial(retry, request.conversation_id, request.key, request.asker.person, stop=stop)
            )
        if turn is not None:
            images = tuple(it.image for it in turn.pictures)
            return await self._ask_assistant(Question(turn.text, images, alone=True, again=True))
        return await self._answer_question()  # it was never answered, so what was asked is asked again

    async def _edit(self) -> Answer:
        """Answer a question of the conversation again in other words."""
        request, stop = self.request, self.request.hooks.stop
        edit = partial(self.services.assistant.edit, request.conversation_id, request.turn, request.text)
        return await self._show(partial(edit, request.key, request.asker.person, stop=stop))

    async def _is_last(self, turn: Turn) -> bool:
        return (await self._outline()).turns[-1:] == (turn,)

    async def _read_small_print(self) -> Answer:
        """Ask once more about the same pictures, less shrunk."""
        turn = await self._turn_about()
        if turn is None:
            raise NotFound("I do not remember that answer any more. Please send the picture again.")
        sharper = self.services.images.sharpened(SMALL_PRINT_FACTOR)
        await self.services.assistant.check_question(self.request.asker.person)
        originals = [await self.services.store.original(picture.image.id) for picture in turn.pictures]
        if not (any(originals) or self.request.chooses):
            raise NotFound(
                "Your picture was too large to keep in its full size. Please send only the part with the small print."
            )
        pictures = [
            replace(picture, image=await make_image(original, sharper)) if original else picture
            for picture, original in zip(turn.pictures, originals, strict=True)
        ]
        return await self._ask_assistant(Question(turn.text, alone=True, small_print=tuple(pictures)))

    async def _go_on(self) -> Answer:
        """Ask for the rest of an answer that became too long."""
        turn = await self._turn_about()
        if turn is None:
            raise NotFound("I do not remember that answer any more. Please send the picture again.")
        answered = await self.services.assistant.history.answered(self.request.key)
        if not (answered or await self._is_last(turn)):
            raise BadQuestion("Other questions were asked since then. Please ask for the rest in your own words.")
        text = self.translator.for_question(turn.text).say("Go on.")
        return await self._ask_assistant(Question(text, alone=True, person=self.request.asker.person_if_shared))

    async def _ask_about_named_region(self) -> Answer:
        """Ask about the part of a picture that words name, or say how one is named."""
        about, known = await self._turn_about(), await self._outline()
        if self.request.files:
            images = await self.attachments.open()
            await self.attachments.keep([image for image in images if image.id not in known.images])
            known = await self._outline()
            image_ids = {image.id for image in images}
            about = Turn("", tuple(picture for picture in known.pictures if picture.image.id in image_ids))
        pointed = pointed_in_words(self.request.text, known, about)
        return await (self._obey() if pointed is None else self._ask_about_region(pointed, known))

    async def _look_at_box(self, number: int) -> Answer:
        turn, known = await self._turn_about(), await self._outline()
        if turn is None:
            raise NotFound("I do not remember that answer any more. Please send the picture again.")
        return await self._ask_about_region(box_of(turn, known, number), known)

    async def _ask_about_region(self, pointed: Pointed, known: Conversation) -> Answer:
        """Ask about a part of a picture, which becomes the conversation's next picture."""
        await self.services.assistant.check_question(self.request.asker.person)
        limits = await self.services.limits(self.request.conversation_id)
        image, part = await cut_out(pointed, known, self.services.store, limits)
        text = pointed.question or self.translator.explain(WHAT_IS_THIS)
        return await self._ask_assistant(
            Question(text, (image,), alone=True, person=self.request.asker.person_if_shared, part=part)
        )

    async def _outline(self) -> Conversation:
        return await self.services.store.outline(self.request.conversation_id)

    async def _ask_assistant(self, question: Question) -> Answer:
        request, stop = self.request, self.request.hooks.stop
        ask = partial(self.services.assistant.ask, request.conversation_id, question, request.key)
        return await self._show(partial(ask, request.asker.person, stop=stop, replaces=request.replaces))

    async def _show(self, ask: Ask) -> Answer:
        introduction = introduce(self.services.model, self.translator)
        display = Display(self.request.display, self.translator, self.tell, self.notes, introduction)
        return await display.ask(ask, self._saved_turn)

    async def _saved_turn(self) -> Turn | None:
        """Return the turn that was just answered, and offer its actions. /table needs no button for its CSV file."""
        turn = await self.services.assistant.history.answered(self.request.key)
        actions = available_actions(turn, self.services.images.image_tokens)
        if turn is not None and AnswerAction.CSV in actions and self.request.display.files and wants_csv(turn.text):
            actions = tuple(action for action in actions if action is not AnswerAction.CSV)
            if table := file_of(turn, AnswerAction.CSV):
                self.tell(table)
        self.request.hooks.offer(actions if self.request.keeps else ())  # a forgotten answer gives nothing later
        return turn

    async def _turn_about(self) -> Turn | None:
        """Return what the question is about: the answer that it replies to, or the chosen pictures."""
        if self.request.pictures is not None:
            return Turn(self.request.text, await self._chosen(self.request.pictures))
        if self.request.about is None:
            return None
        platform, conversation_id = self.request.platform.name, self.request.conversation_id
        return await self.services.store.turn_of_posted(platform, self.request.about, conversation_id)

    async def _chosen(self, numbers: Sequence[int]) -> tuple[Picture, ...]:
        known = await self.services.store.outline(self.request.conversation_id) if numbers else None
        pictures = {picture.number: picture for picture in known.pictures} if known else {}
        for number in numbers:
            if number not in pictures:
                raise BadQuestion("There is no picture {number} in this conversation.", number=number)
        return tuple(pictures[number] for number in numbers)


def introduce(model: ModelDescription, translator: Translator) -> str:
    """Return what a chat's first answer says about the model; "" if there is nothing to say."""
    if model.introduction is None:
        return ""
    how = translator.say("the operator can install the real one")
    return f"{translator.explain(model.introduction)} · {how}"
