"""Store conversations on disk. Only this package uses SQLAlchemy."""
