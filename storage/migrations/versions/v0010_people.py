"""Store whom admins let in, besides whom they block, and what people ask before they are let in."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("person", sa.String(255), nullable=False),
        sa.Column("standing", sa.String(16), nullable=False),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("told", sa.Float),
        sa.PrimaryKeyConstraint("platform", "person", name="pk_people"),
    )
    # Ids of Telegram are numbers, those of Slack begin with a letter.
    platform = "CASE WHEN person < 'A' THEN 'telegram' ELSE 'slack' END"
    op.execute(
        "INSERT INTO people (platform, person, standing, since) "
        f"SELECT {platform}, person, 'blocked', created FROM blocked"
    )
    op.drop_table("blocked")
    op.add_column("messages", sa.Column("held_for", sa.String(255)))
    op.create_index("ix_messages_held_for", "messages", ["held_for"])
