"""Add the answers that grow at one replica and are read at another."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "growing_answers",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("wanted_until", sa.Float, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("outcome", sa.JSON),
        sa.PrimaryKeyConstraint("key", name="pk_growing_answers"),
    )
