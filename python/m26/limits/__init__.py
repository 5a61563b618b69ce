"""What holds requests back, for every process of a home: budget, pauses, STOPs."""
