// Ask through Vercel's AI SDK: ask, ask on, send a broken picture, hang up. Prints what it heard as JSON.

import { readFileSync } from "node:fs";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, jsonSchema, streamText } from "ai";

const [invoice, broken] = process.argv.slice(2).map((name) => readFileSync(name));
const { URL: baseURL, KEY: apiKey, MODEL: name } = process.env;
const provider = createOpenAICompatible({ name: "house", baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true });
const model = provider(name);
const plain = { model, maxRetries: 0 };

function question(text, image) {
  const pictures = image ? [{ type: "image", image, mediaType: "image/png" }] : [];
  return { role: "user", content: [...pictures, { type: "text", text }] };
}

const asked = [question("What is the total?", invoice)];
const first = await generateText({ ...plain, messages: asked });
const then = [...asked, ...first.response.messages, question("What is the tax rate?")];
const second = await generateText({ ...plain, messages: then });
const streamed = await streamText({ ...plain, messages: asked }).text;
const schema = jsonSchema({
  type: "object",
  properties: { total: { type: "number" }, paid: { type: "boolean" } },
  required: ["total", "paid"],
  additionalProperties: false,
});
const shaped = await generateObject({ ...plain, messages: asked, schema });
let refused = {};
try {
  await generateText({ ...plain, messages: [question("What is it?", broken)] });
} catch (error) {
  const { code, message } = JSON.parse(error.responseBody).error;
  refused = { code, message };
}
let begun = "";
for (let time = 0; time < 3; time++) {
  const abort = new AbortController();
  const stream = streamText({
    ...plain, messages: [question("Extract all text", invoice)], abortSignal: abort.signal, onError() {},
  });
  for await (const piece of stream.textStream) {
    begun = piece;
    abort.abort();
    break;
  }
}
console.log(JSON.stringify({
  first: first.text,
  second: second.text,
  streamed,
  cached: second.usage.cachedInputTokens ?? second.usage.inputTokenDetails?.cacheReadTokens,
  read: first.usage.inputTokens,
  shaped: shaped.object,
  refused,
  begun,
}));
