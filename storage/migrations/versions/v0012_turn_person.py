"""Add the person who asked a question, so that what is kept about somebody can be found among others'."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("turns", sa.Column("person", sa.String(32)))
    op.create_index("ix_turns_person", "turns", ["person"])
