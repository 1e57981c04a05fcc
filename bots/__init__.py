"""Connect people to the assistant. Each platform is a package of its own, and none knows another."""
