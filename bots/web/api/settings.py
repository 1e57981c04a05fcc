"""Serve the settings of one conversation: how its answers are to be."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Body

from bots.web.api.dependencies import Known, WithReceiver
from bots.web.api.openapi import REFUSALS
from bots.web.api.schema import SettingsView
from core.settings import ConversationSettings

router = APIRouter(prefix="/api/v1/conversations/{conversation_id}/settings", responses=REFUSALS)


@router.get("", summary="Read how a conversation is answered")
async def settings(known: Known) -> SettingsView:
    return _view(known.settings)


@router.put("", summary="Set how a conversation is answered")
async def change_settings(
    known: Known, receiver: WithReceiver, wanted: Annotated[SettingsView, Body()]
) -> SettingsView:
    """Set all of it, from the next question on. What is left out gets its default."""
    changed = wanted.settings()
    await receiver.store.change_settings(known.id, changed, begins=False)
    return _view(changed)


def _view(known: ConversationSettings) -> SettingsView:
    return SettingsView.model_validate(asdict(known))
