// Trains a small model on a text within 64 MiB of host and 8 MiB of device memory, saves it, and goes on with it.
//     dotnet run train.cs [text]
#:package Dataflow@0.1.0
#:property PublishAot=false
using Dataflow;
using Dataflow.Planning;

string text = args.Length > 0 ? args[0] : "train.cs";
var plan = new PlanOptions
{
    Model = "nano",
    Seqlen = 64,
    DeviceMemory = Values.Size("8MiB"),
    HostMemory = Values.Size("64MiB"),
    GlobalBatch = 512,
    Device = DeviceOptions.Cpu,
};

// A plan is a value: either one that fits, or why none does and what would.
switch (Plans.Make(plan))
{
    case PlanResult.Feasible { Plan: var found }:
        Console.WriteLine($"{found.DevicePeak} of device and {found.HostPeak} of host memory, plan {found.Hash[..12]}");
        break;
    case PlanResult.Infeasible { Reason: var why }:
        Console.WriteLine(why);
        return 3;
}

var options = new TrainingOptions { Plan = plan, Data = [text], Steps = 4, Checkpoint = "saved", Export = "trained" };
using (var run = TrainingRun.Prepare(options))
{
    await foreach (var step in run.StepsAsync())
    {
        Console.WriteLine($"step {step.Step.Step}: loss {step.Step.Loss:0.0000}, {step.Step.TokensPerSecond:N0} tokens/s");
    }
}

// Cancellation ends a run after the step that is running, and what was trained is saved all the same.
using var stop = new CancellationTokenSource();
using var more = TrainingRun.Resume("saved", saved => saved with { Steps = 1000, Export = "trained", Overwrite = true });
await foreach (var step in more.StepsAsync(stop.Token))
{
    Console.WriteLine($"step {step.Step.Step}: loss {step.Step.Loss:0.0000}");
    if (step.Step.Step == 8)
    {
        stop.Cancel();
    }
}

return 0;
