"""Batches of pictures: many requests in one, watched and cancelled as one."""
