"""Keep what an answer waits for, for readers at another replica."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("growing_answers", sa.Column("stage", sa.JSON(none_as_null=True)))
