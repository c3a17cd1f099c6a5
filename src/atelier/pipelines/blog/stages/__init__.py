"""The stages of a post, a module each, under the names that watchers see."""
