"""Serve OpenAI's chat API below /v1, for the many programs that speak it. Nothing of these conversations is stored."""
