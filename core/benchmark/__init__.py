"""Measure the engine from outside: against another server, in a room full of people, and between precisions."""
