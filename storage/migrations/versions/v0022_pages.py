"""Keep which pages of a document were looked at, and what tells it from others, apart from the file itself.

SQLite reads and writes a row as a whole, and the file may be large.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "document_pages",
        sa.Column("conversation_id", sa.String(255), nullable=False),
        sa.Column("image_ids", sa.JSON, nullable=False),
        sa.Column("pages", sa.JSON, nullable=False),
        sa.Column("page_count", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", name="pk_document_pages"),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["documents.conversation_id"],
            name="fk_document_pages_conversation_id",
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
    )
