"""Parts of the benchmarks of sampling: tasks, models, methods, figures."""
