"""Keep which pages of a document were looked at, and what tells it from others."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("pages", sa.JSON(none_as_null=True)))
    op.add_column("documents", sa.Column("page_count", sa.Integer))
    op.add_column("documents", sa.Column("digest", sa.String(32)))
