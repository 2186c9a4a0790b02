using System.CommandLine;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>The options that choose a device.</summary>
internal sealed class DeviceFlags
{
    private const int MostThreads = 1024;
    private readonly Option<DeviceOptions?> device = Declare.Option<DeviceOptions?>(
        "--device",
        "cpu|cuda|cuda-emulated|auto",
        "where to run: cuda is the first NVIDIA GPU, cuda-emulated the same code checked on the CPU (slow; in a checkout); auto is cuda "
            + "where there is one, else cpu",
        DeviceOptions.Named
    );
    private readonly Option<int?> threads = Declare.Option(
        "--threads",
        "N",
        "threads of the CPU; results do not depend on it [default: all processors]",
        Values.OptionalCount(1, MostThreads)
    );
    private readonly Option<int?> interleaving = Declare.Option(
        "--interleaving",
        "SEED",
        "run ops one at a time in an adversarial order, with unused memory poisoned; for checks",
        Values.OptionalCount(0, int.MaxValue)
    );

    private readonly Option<GraphUse> graphs = Declare.Option(
        "--cuda-graphs",
        "auto|on|off",
        "launch a GPU's steps as CUDA graphs, from the second on: auto does where launches of small kernels are predicted to cost 2% or "
            + "more and the budget has room; results do not depend on it [default: auto]",
        Values.GraphUse
    );

    /// <summary>Adds them to a command that trains.</summary>
    public void AddAllTo(Command command)
    {
        AddTo(command);
        command.Options.Add(graphs);
    }

    /// <summary>Adds them to a command that has no use for graphs.</summary>
    public void AddTo(Command command)
    {
        command.Options.Add(device);
        command.Options.Add(threads);
        command.Options.Add(interleaving);
    }

    /// <summary>Adds to a command that plans what another one runs where it would run.</summary>
    public void AddKindTo(Command command) => command.Options.Add(device);

    /// <summary>What was given.</summary>
    /// <exception cref="MachineException">A GPU was asked for, and there is none that can be used.</exception>
    public DeviceOptions Bind(ParseResult parsed)
    {
        var chosen = parsed.GetValue(device) ?? DeviceOptions.Auto;
        var kind = chosen.Kind;
        if (kind == DeviceKind.Cuda)
        {
            // Said before anything is planned or read.
            _ = CudaGpu.All();
        }

        if (kind == DeviceKind.Cuda && parsed.WasGiven(interleaving))
        {
            throw new UserErrorException(
                "--interleaving cannot order what a GPU does; leave it out, or give --device cpu or cuda-emulated"
            );
        }

        if (kind != DeviceKind.Cpu && parsed.WasGiven(threads))
        {
            throw new UserErrorException("--threads is of the CPU's kernels, and this runs on a GPU; leave it out, or give --device cpu");
        }

        var launched = parsed.GetValue(graphs);
        if (kind == DeviceKind.Cpu && launched == GraphUse.On)
        {
            throw new UserErrorException(
                "--cuda-graphs on is of NVIDIA GPUs, and this runs on the CPU; leave it out, or give --device cuda"
            );
        }

        return chosen with
        {
            Graphs = launched,
            Threads = parsed.GetValue(threads) ?? chosen.Threads,
            Interleaving = parsed.GetValue(interleaving),
        };
    }
}
