"""Keep where a tall or wide picture is cut into tiles."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("images", sa.Column("tiles", sa.JSON(none_as_null=True)))
