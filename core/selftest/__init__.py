"""Ask a model about pictures that ship with the product, and say which answers are right, and how fast they came."""
