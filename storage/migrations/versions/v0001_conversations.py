"""Add conversations, their turns and pictures, and the inbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _conversations()
    _turns()
    _messages()


def _conversations() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("chapter", sa.Integer, nullable=False),
        sa.Column("next_number", sa.Integer, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("updated", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    op.create_index("ix_conversations_updated", "conversations", ["updated"])
    op.create_table(
        "images",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("original_width", sa.Integer, nullable=False),
        sa.Column("original_height", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("original", sa.LargeBinary),
        sa.PrimaryKeyConstraint("id", name="pk_images"),
    )
    op.create_table(
        "pictures",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("conversation_id", sa.String(255), nullable=False),
        sa.Column("chapter", sa.Integer, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("image_id", sa.String(64)),
        sa.PrimaryKeyConstraint("id", name="pk_pictures"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_pictures_conversation_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["image_id"], ["images.id"], name="fk_pictures_image_id", ondelete="SET NULL"),
        sa.UniqueConstraint("conversation_id", "chapter", "number", name="uq_pictures_conversation_id_chapter_number"),
    )
    op.create_index("ix_pictures_image_id", "pictures", ["image_id"])


def _turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("conversation_id", sa.String(255), nullable=False),
        sa.Column("chapter", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("replaced", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("ending", sa.String(16), nullable=False),
        sa.Column("figures", sa.JSON, nullable=False),
        sa.Column("created", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_turns"),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="fk_turns_conversation_id", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("key", name="uq_turns_key"),
    )
    op.create_index("ix_turns_conversation_id_chapter_position", "turns", ["conversation_id", "chapter", "position"])
    op.create_table(
        "turn_pictures",
        sa.Column("turn_id", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("picture_id", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("turn_id", "place", name="pk_turn_pictures"),
        sa.ForeignKeyConstraint(["turn_id"], ["turns.id"], name="fk_turn_pictures_turn_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["picture_id"], ["pictures.id"], name="fk_turn_pictures_picture_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_turn_pictures_picture_id", "turn_pictures", ["picture_id"])


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("adapter", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("conversation_id", sa.String(255), nullable=False),
        sa.Column("payload", sa.Text),
        sa.Column("album", sa.String(255)),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("finished", sa.Float),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("key", name="uq_messages_key"),
    )
    op.create_index("ix_messages_conversation_id", "messages", ["conversation_id"])
    op.create_index("ix_messages_finished", "messages", ["finished"])
    op.create_table(
        "deliveries",
        sa.Column("message_id", sa.Integer, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("sent", sa.String(255), nullable=False),
        sa.PrimaryKeyConstraint("message_id", "place", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="fk_deliveries_message_id", ondelete="CASCADE"),
    )
    op.create_index("ix_deliveries_sent", "deliveries", ["sent"])
