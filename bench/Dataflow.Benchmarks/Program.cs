using Dataflow.Benchmarks;

return Suites.Run(args);
