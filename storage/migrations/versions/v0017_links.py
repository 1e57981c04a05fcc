"""Let people share a conversation by a link."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversations", sa.Column("link", sa.String(64)))
    op.create_index("ix_conversations_link", "conversations", ["link"], unique=True)
