"""The CARE room: a U-Net that restores by regression."""
