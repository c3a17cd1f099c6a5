"""atelier: durable jobs for pictures and texts, watched live."""
