"""Add the time last seen, so that a wrong clock is noticed."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("seen", sa.Float, nullable=False),
        sa.Column("wall", sa.Float, nullable=False),
        sa.Column("doubted_from", sa.Float),
        sa.PrimaryKeyConstraint("id", name="pk_clock"),
    )
