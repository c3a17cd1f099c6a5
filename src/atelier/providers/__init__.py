"""Who makes things: one module per vendor, all behind the ports of `pipelines`."""
