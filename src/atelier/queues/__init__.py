"""Who carries jobs to a worker: one module per backend, all behind `jobs.ports.Queue`."""
