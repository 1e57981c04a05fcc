"""Serve the settings of one conversation: how its answers are to be."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from bots.web.api.conversations import Known, WithReceiver
from bots.web.api.schema import REFUSALS
from core.conversation import storable
from core.settings import INSTRUCTION_CHARACTERS, LANGUAGE_CHARACTERS, Length, Settings, Sharpness

router = APIRouter(prefix="/api/v1/conversations/{conversation_id}/settings", responses=REFUSALS)


class SettingsView(BaseModel, extra="forbid"):
    """How a conversation is answered. The line below an answer is a field of the answer, for a program to show."""

    instructions: str = Field("", max_length=INSTRUCTION_CHARACTERS, examples=["We sell bicycles; be friendly."])
    language: str = Field("", max_length=LANGUAGE_CHARACTERS, pattern=r"^[^\r\n]*$", examples=["German"])
    length: Length = Length.NORMAL
    sharpness: Sharpness = Field(Sharpness.NORMAL, description="high: pictures sent from now on keep twice the pixels.")
    keep: bool = Field(
        True, description="false: what is asked here is forgotten, with all before, once it is answered."
    )


@router.get("", summary="Read how a conversation is answered")
async def settings(known: Known) -> SettingsView:
    return _view(known.settings)


@router.put("", summary="Set how a conversation is answered")
async def change_settings(
    known: Known, receiver: WithReceiver, wanted: Annotated[SettingsView, Body()]
) -> SettingsView:
    """Set all of it, from the next question on. What is left out gets its default."""
    instructions, language = storable(wanted.instructions).strip(), storable(wanted.language).strip()
    changed = replace(
        known.settings,
        instructions=instructions,
        language=language,
        length=wanted.length,
        sharpness=wanted.sharpness,
        keep=wanted.keep,
    )
    await receiver.store.change_settings(known.id, changed)
    return _view(changed)


def _view(known: Settings) -> SettingsView:
    return SettingsView(
        instructions=known.instructions,
        language=known.language,
        length=known.length,
        sharpness=known.sharpness,
        keep=known.keep,
    )
