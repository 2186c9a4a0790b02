using Dataflow.Cli;
using TransformerDemo;

GuardedOutput.Install();
Startup.Listen();
return DemoCommand.Run(args);
