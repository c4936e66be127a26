"""The room of the cascaded up- and down-sampling network with external attention."""
