"""What a process says of itself: conditions and figures in; log, metrics and one document out."""
