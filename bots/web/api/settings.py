"""Serve the settings of one conversation: how its answers are to be."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel, Field

from bots.web.api.conversations import Known, WithReceiver
from bots.web.api.schema import REFUSALS
from core.conversation import storable
from core.settings import INSTRUCTION_CHARACTERS, LANGUAGE_CHARACTERS, Length, Settings, Sharpness

router = APIRouter(prefix="/api/v1/conversations/{conversation_id}/settings", responses=REFUSALS)


class SettingsView(BaseModel, extra="forbid"):
    """How a conversation is answered."""

    instructions: str = Field("", max_length=INSTRUCTION_CHARACTERS, examples=["We sell bicycles; be friendly."])
    language: str = Field("", max_length=LANGUAGE_CHARACTERS, pattern=r"^[^\r\n]*$", examples=["German"])
    length: Length = Length.NORMAL
    sharpness: Sharpness = Field(Sharpness.NORMAL, description="high: pictures sent from now on keep twice the pixels.")
    receipt: bool = Field(True, description="false: the field receipt of its answers is empty.")
    keep: bool = Field(
        True, description="false: what is asked here is forgotten, with all before, once it is answered."
    )

    def settings(self) -> Settings:
        said = {"instructions": storable(self.instructions).strip(), "language": storable(self.language).strip()}
        return Settings(**{**dict(self), **said})


@router.get("", summary="Read how a conversation is answered")
async def settings(known: Known) -> SettingsView:
    return _view(known.settings)


@router.put("", summary="Set how a conversation is answered")
async def change_settings(
    known: Known, receiver: WithReceiver, wanted: Annotated[SettingsView, Body()]
) -> SettingsView:
    """Set all of it, from the next question on. What is left out gets its default."""
    changed = wanted.settings()
    await receiver.store.change_settings(known.id, changed)
    return _view(changed)


def _view(known: Settings) -> SettingsView:
    return SettingsView.model_validate(asdict(known))
