"""Qwen3-VL on the CPU: a checkpoint's weights in one precision, and the rows of many conversations in one forward.

Knows keys and values and pictures, but no requests, no text and no caches of results: those are `core.engine`'s.
"""
