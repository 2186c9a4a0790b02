using Dataflow.Cli;

ParentWatch.Begin();
GuardedOutput.Install();
return DataflowCommand.Run(args);
