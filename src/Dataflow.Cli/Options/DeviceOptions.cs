using System.CommandLine;
using Dataflow.Cpu;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Runtime;

namespace Dataflow.Cli;

/// <summary>Where a plan runs.</summary>
/// <param name="Threads">Threads of the CPU's kernels.</param>
/// <param name="Interleaving">Seed of the adversarial device; null is the ordinary one.</param>
internal sealed record DeviceSettings(int Threads, int? Interleaving)
{
    /// <summary>Makes the device, with the arenas of the plan.</summary>
    public IDevice Create(TrainingPlan plan) => Interleaving is { } seed
        ? new InterleavedCpuDevice(plan.Schedule, plan.Workload, Threads, seed)
        : new CpuDevice(plan.Schedule, plan.Workload, Threads);
}

/// <summary>The options that choose a device.</summary>
internal sealed class DeviceOptions
{
    private const int MostThreads = 1024;
    private readonly Option<string?> device = Values.Option<string?>("--device", "cpu|auto", "where to run; auto is the fastest that this machine has", DeviceNamed);
    private readonly Option<int?> threads = Values.Option("--threads", "N", "threads of the CPU; results do not depend on it [default: all processors]", Values.OptionalCount(1, MostThreads));
    private readonly Option<int?> interleaving = Values.Option("--interleaving", "SEED", "run ops one at a time in an adversarial order, with unused memory poisoned; for checks", Values.OptionalCount(0, int.MaxValue));

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(device);
        command.Options.Add(threads);
        command.Options.Add(interleaving);
    }

    /// <summary>What was given.</summary>
    public DeviceSettings Bind(ParseResult parsed) => new(parsed.GetValue(threads) ?? Environment.ProcessorCount, parsed.GetValue(interleaving));

    private static string DeviceNamed(string text) => text switch
    {
        "cpu" or "auto" => text,
        "cuda" => throw new UserErrorException("cuda is not in this build yet; use --device cpu"),
        _ => throw new UserErrorException($"'{text}' is no device; choose cpu or auto"),
    };
}
