"""Run in langchain-openai's own environment: ask, ask on, send a broken picture, hang up. Prints JSON of it."""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import openai
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

invoice, broken = (base64.b64encode(Path(name).read_bytes()).decode() for name in sys.argv[1:])
model = ChatOpenAI(model=os.environ["MODEL"], base_url=os.environ["URL"], api_key=os.environ["KEY"], max_retries=0)


class Invoice(BaseModel):
    total: float
    paid: bool


def question(text: str, picture: str | None = None) -> dict[str, Any]:
    image = [{"type": "image", "base64": picture, "mime_type": "image/png"}] if picture else []
    return {"role": "user", "content": [*image, {"type": "text", "text": text}]}


asked = [question("What is the total?", invoice)]
first = model.invoke(asked)
second = model.invoke([*asked, first, question("What is the tax rate?")])
streamed = "".join(piece.content for piece in model.stream(asked))
shaped: Any = model.with_structured_output(Invoice, method="json_schema").invoke(asked)
try:
    model.invoke([question("What is it?", broken)])
    refused = {}
except openai.BadRequestError as error:
    refused = {"code": error.code, "message": str(error)}
for _ in range(3):
    pieces: Any = model.stream([question("Extract all text", invoice)])
    begun = next(piece.content for piece in pieces if piece.content)
    pieces.close()
heard = {
    "first": first.content,
    "second": second.content,
    "streamed": streamed,
    "cached": second.usage_metadata["input_token_details"]["cache_read"],
    "read": first.usage_metadata["input_tokens"],
    "shaped": shaped.model_dump(),
    "refused": refused,
    "begun": begun,
}
print(json.dumps(heard))
