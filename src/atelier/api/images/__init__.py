"""Front door A: pictures, under /api/v1/images."""
