using Dataflow.Cli;
using TransformerDemo;

GuardedOutput.Install();
return DemoCommand.Run(args);
