"""Blog posts: thirteen stages from a topic to a page with sources."""
