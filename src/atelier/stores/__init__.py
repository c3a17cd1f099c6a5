"""Where jobs live: one package per backend, all behind `jobs.ports.Store`."""
