"""Hold conversations about pictures. Imports no chat platform and no database."""
