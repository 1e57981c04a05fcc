"""Add the person who sent a picture, so that one person cannot fill the disk."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pictures", sa.Column("person", sa.String(32)))
    op.create_index("ix_pictures_person", "pictures", ["person"])
