using Dataflow.Cli;

ParentWatch.Begin();
GuardedOutput.Install();
Startup.Listen();
return DataflowCommand.Run(args);
