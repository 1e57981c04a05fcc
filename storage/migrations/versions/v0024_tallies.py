"""Add what is counted, for limits that hold over all replicas and after a restart."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_tallies"),
    )
    op.create_index("ix_tallies_until", "tallies", ["until"])
