"""Define the tables. Times are seconds since 1970 (UTC); a *chapter* counts how often a conversation was restarted."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    false,
    or_,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(255), primary_key=True),
    Column("title", Text, nullable=False),  # the first question of the chapter, empty before it
    Column("chapter", Integer, nullable=False),
    Column("next_number", Integer, nullable=False),  # of the next picture of the chapter
    Column("created", Float, nullable=False),
    Column("updated", Float, nullable=False, index=True),
    Column("settings", JSON(none_as_null=True)),  # what differs from the defaults, see core.settings; NULL: nothing
    Column("name", Text),  # that a person gave it; NULL: its title
    Column("pinned", Boolean, nullable=False, server_default=false()),  # at the top of the list
    Column("link", String(64), unique=True, index=True),  # that opens it for reading; NULL: none
    Index(None, "pinned", "updated"),
)

images = Table(
    "images",
    metadata,
    Column("id", String(64), primary_key=True),  # sha256, see core.image.Image
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("original_width", Integer, nullable=False),
    Column("original_height", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("original", LargeBinary),  # behind the others, so that SQLite does not walk over it to reach them
    Column("tiles", JSON(none_as_null=True)),  # what a tall or wide picture is cut into, in pixels; NULL costs no walk
)

pictures = Table(
    "pictures",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("chapter", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("image_id", ForeignKey("images.id", ondelete="SET NULL"), index=True),  # NULL when removed
    Column("waiting", Boolean, nullable=False, server_default=false()),  # for the next question
    Column("person", String(32), index=True),  # who brought it, see core.pseudonym
    Column("part", JSON(none_as_null=True)),  # of which picture's number, and its region; NULL: it was not cut out
    UniqueConstraint("conversation_id", "chapter", "number"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False),
    Column("chapter", Integer, nullable=False),
    Column("position", Integer, nullable=False),  # a turn that replaces another takes its position
    Column("key", String(255), nullable=False, unique=True),
    Column("replaced", Boolean, nullable=False),  # kept, so that its key still counts as answered
    Column("text", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("ending", String(16), nullable=False),
    Column("figures", JSON, nullable=False),
    Column("created", Float, nullable=False),
    Column("rating", Integer),  # 1 thumb up, -1 thumb down
    Column("person", String(32), index=True),  # who asked, see core.pseudonym
    Index(None, "conversation_id", "chapter", "position"),
)

turn_pictures = Table(
    "turn_pictures",
    metadata,
    Column("turn_id", ForeignKey("turns.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("picture_id", ForeignKey("pictures.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("image_id", ForeignKey("images.id", ondelete="SET NULL"), index=True),  # if not the picture's own
)

documents = Table(
    "documents",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id", ondelete="CASCADE"), primary_key=True),
    Column("person", String(32), nullable=False, index=True),  # who brought it, see storage.allowance
    Column("image_ids", JSON, nullable=False),  # when it was kept; a version before knows only these
    Column("data", LargeBinary, nullable=False),
)

document_pages = Table(  # apart from the data, which SQLite would read and write with them
    "document_pages",
    metadata,
    Column(
        "conversation_id",
        ForeignKey("documents.conversation_id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    ),
    Column("image_ids", JSON, nullable=False),  # of the pictures that its pages became
    Column("pages", JSON, nullable=False),  # their numbers
    Column("page_count", Integer, nullable=False),
    Column("digest", String(32), nullable=False),  # of the document
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("adapter", String(64), nullable=False),
    Column("key", String(255), nullable=False, unique=True),
    Column("conversation_id", String(255), nullable=False, index=True),
    Column("payload", Text),  # NULL once it was finished
    Column("album", String(255)),
    Column("created", Float, nullable=False),
    Column("finished", Float, index=True),
    Column("held_for", String(255), index=True),  # a finished message of this stranger, kept until they are let in
    Column("digest", String(64)),  # of its content: see bots.web.message, and core.revision for chats
    Column("wish", String(16)),  # what is wanted of it, see core.wish
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("message_id", ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("sent", String(255), nullable=False, index=True),  # the platform's id of a message with the answer
)

files = Table(
    "files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("file", String(255), nullable=False),  # the platform's name and its id of the file
    Column("conversation_id", String(255), nullable=False, index=True),
    Column("image_id", String(64), nullable=False),  # no foreign key: stored before the image
    UniqueConstraint("file", "conversation_id", "image_id"),
)

people = Table(
    "people",
    metadata,
    Column("platform", String(64), primary_key=True),
    Column("person", String(255), primary_key=True),  # the platform's id of a person or a chat
    Column("standing", String(16), nullable=False),  # see core.person
    Column("since", Float, nullable=False),
    Column("told", Float),  # when the admins were told that this person waits
)

ended_sessions = Table(
    "ended_sessions",
    metadata,
    Column("session", String(64), primary_key=True),
    Column("until", Float, nullable=False),  # when its cookie expires
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(255), primary_key=True),  # a conversation, or another thing that one replica does at a time
    Column("owner", String(255), nullable=False, index=True),  # the replica that holds it
    Column("fence", Integer, nullable=False),  # counts how often it changed hands
    Column("until", Float, nullable=False),  # by the database's clock; 0: it was given back
)

growing_answers = Table(
    "growing_answers",  # written at one replica, read at another; what nobody reads is dropped within seconds
    metadata,
    Column("key", String(255), primary_key=True),  # of the message that is answered
    Column("wanted_until", Float, nullable=False),  # by the database's clock
    Column("text", Text, nullable=False),
    Column("outcome", JSON(none_as_null=True)),  # how it ended, see bots.web.outcome
    Column("stage", JSON(none_as_null=True)),  # its place in the line, or at which picture it is, see bots.web.stage
)

tallies = Table(
    "tallies",
    metadata,
    Column("name", String(255), primary_key=True),  # a pseudonym of a person or an address, and what is counted of it
    Column("counts", JSON, nullable=False),  # see core.quota and bots.web.access.token_guesses
    Column("until", Float, nullable=False, index=True),  # when no limit looks at it any more
)

clock = Table(
    "clock",  # one row, see storage.clock
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seen", Float, nullable=False),
    Column("wall", Float, nullable=False),
    Column("doubted_from", Float),
)


def is_in(prefix: str) -> ColumnElement[bool]:
    """Return whether a conversation belongs to a platform ("web") or a place there ("slack:T1:D1"); "" is everywhere.

    The one place where a conversation's id is not opaque: no column says where it belongs, but every platform begins
    the ids that it makes with that, up to a colon.
    """
    return conversations.c.id.startswith(f"{prefix}:", autoescape=True) if prefix else true()


def is_in_list(prefix: str, owner: str) -> ColumnElement[bool]:
    """Return whether a conversation there belongs to an owner, whom its id names next, or to everybody."""
    return and_(is_in(prefix), or_(is_in(f"{prefix}:{owner}"), ~conversations.c.id.like(f"{prefix}:%:%")))
