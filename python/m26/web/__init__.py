"""HTTP for operators and programs: health, metrics, status."""
