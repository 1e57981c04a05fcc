"""The platforms: where people talk to the assistant. One file a platform; none knows another."""
