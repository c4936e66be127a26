"""How well simulated images match real ones: what is measured, and the page that shows it."""
