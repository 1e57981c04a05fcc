"""Let a picture that was asked about before wait again when it is sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pictures", sa.Column("waiting", sa.Boolean, nullable=False, server_default=sa.false()))
    asked = "SELECT 1 FROM turn_pictures WHERE turn_pictures.picture_id = pictures.id"
    op.execute(f"UPDATE pictures SET waiting = TRUE WHERE NOT EXISTS ({asked})")
