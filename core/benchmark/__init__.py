"""Measures the engine from outside: speed and memory beside another server, a room full of people, precisions."""
