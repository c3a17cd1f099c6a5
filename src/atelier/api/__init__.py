"""The dialects: what callers say, translated to the engine and back."""
