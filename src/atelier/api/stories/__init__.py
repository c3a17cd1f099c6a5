"""Front door E: illustrated stories, under /api/ai."""
