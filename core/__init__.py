"""What the product is for: conversations about pictures. Knows no chat platform and no database."""
