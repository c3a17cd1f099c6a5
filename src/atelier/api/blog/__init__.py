"""Front door B: posts, under /api/v1/blog."""
