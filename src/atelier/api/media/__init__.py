"""Front door C: pictures watched step by step, under /api/media and /ws."""
