using Dataflow;
using Dataflow.Cli;
using TransformerDemo;

Locations.UseNearest();
GuardedOutput.Install();
Startup.Listen();
return DemoCommand.Run(args);
