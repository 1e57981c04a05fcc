"""Let a turn look at a picture less shrunk than it is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("turn_pictures") as table:  # SQLite accepts a foreign key only in a new table
        table.add_column(sa.Column("image_id", sa.String(64)))
        table.create_foreign_key("fk_turn_pictures_image_id", "images", ["image_id"], ["id"], ondelete="SET NULL")
        table.create_index("ix_turn_pictures_image_id", ["image_id"])
