using Dataflow;
using Dataflow.Cli;

ParentWatch.Begin();
Locations.UseNearest();
GuardedOutput.Install();
Startup.Listen();
return DataflowCommand.Run(args);
