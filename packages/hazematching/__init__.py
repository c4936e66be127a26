"""HazeMatching: samples of the posterior by guided conditional flow matching."""
