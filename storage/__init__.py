"""Conversations on disk. SQLAlchemy lives here and nowhere else."""
