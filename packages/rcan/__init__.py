"""The RCAN room: residual blocks with channel attention that restore by regression."""
