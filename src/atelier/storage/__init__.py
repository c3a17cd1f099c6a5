"""Where pictures live: one module per backend, all behind `pipelines.ports.Storage`; and the spool."""
