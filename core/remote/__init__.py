"""Answer with engines elsewhere that speak OpenAI's API: vLLM, llama-server, Ollama, or this product's own /v1.

Begin with `core.remote.engine.RemoteEngine`. No torch is imported here. docs/remote-engines.md is for operators.
"""
