// Plans and simulates a model over a grid of memory budgets and prints how fast each would train. Nothing runs but the planner.
//     dotnet run will-it-fit.cs [model] [seqlen] [machine]
#:package Dataflow@0.1.0
#:property PublishAot=false
using Dataflow;
using Dataflow.Planning;

string model = args.ElementAtOrDefault(0) ?? "1b";
int seqlen = Values.Seqlen(args.ElementAtOrDefault(1) ?? "4k");
string machine = args.ElementAtOrDefault(2) ?? "h100-sxm";
string[] device = ["3GiB", "6GiB", "12GiB", "24GiB"];
string[] host = ["12GiB", "16GiB", "32GiB"];

Console.WriteLine($"{model} at {seqlen} tokens on {machine}: tokens a second (least device memory where nothing fits)");
Console.WriteLine($"{"host",8} | {string.Join(" | ", device.Select(d => d.PadLeft(16)))}");
foreach (string slow in host)
{
    var cells = device.Select(fast => Cell(fast, slow).PadLeft(16));
    Console.WriteLine($"{slow,8} | {string.Join(" | ", cells)}");
}

string Cell(string fast, string slow)
{
    var options = new PlanOptions
    {
        Model = model,
        Seqlen = seqlen,
        DeviceMemory = Values.Size(fast),
        HostMemory = Values.Size(slow),
        Device = DeviceOptions.Cpu, // the machine that is named decides
    }.WithHardware(machine);
    return Plans.Make(options) switch
    {
        PlanResult.Feasible { Plan: var plan } =>
            $"{plan.Workload.Geometry.TokensPerStep / Prediction.For(plan, options.Hardware!).Seconds:N0}",
        PlanResult.Infeasible no => $"({no.SmallestDevice})",
        _ => throw new InvalidOperationException(),
    };
}
