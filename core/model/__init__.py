"""Run Qwen3-VL on the CPU, with weights in one precision and rows of many conversations in one forward pass.

This package handles keys, values and pictures. Requests, text and caches of results belong to `core.engine`.
"""
