using Dataflow;
using Dataflow.Benchmarks;

Locations.UseNearest();
return Suites.Run(args);
