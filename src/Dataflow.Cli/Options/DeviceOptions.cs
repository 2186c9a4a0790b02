using System.CommandLine;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.Cli;

/// <summary>The options that choose a device.</summary>
internal sealed class DeviceOptions
{
    private const int MostThreads = 1024;
    private readonly Option<string?> device = Declare.Option<string?>(
        "--device",
        "cpu|cuda|cuda-emulated|auto",
        "where to run: cuda is the first NVIDIA GPU, cuda-emulated the same code checked on the CPU (slow; in a checkout); auto is cuda "
            + "where there is one, else cpu",
        DeviceNamed
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

    /// <summary>Adds them to a command.</summary>
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
    public DeviceSettings Bind(ParseResult parsed)
    {
        var kind = KindOf(parsed.GetValue(device));
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

        return new DeviceSettings(kind, parsed.GetValue(threads) ?? Environment.ProcessorCount, parsed.GetValue(interleaving));
    }

    private static string DeviceNamed(string text) => text switch
    {
        "cpu" or "auto" or "cuda" or "cuda-emulated" => text,
        _ => throw new UserErrorException($"'{text}' is no device; choose cpu, cuda, cuda-emulated or auto"),
    };

    private static DeviceKind KindOf(string? text) => text switch
    {
        "cuda" => DeviceKind.Cuda,
        "cuda-emulated" => DeviceKind.CudaEmulated,
        "cpu" => DeviceKind.Cpu,
        _ => HasGpu() ? DeviceKind.Cuda : DeviceKind.Cpu,
    };

    private static bool HasGpu()
    {
        try
        {
            return CudaLibraries.Locate(CudaLibrary.Driver) is not null && CudaGpu.All().Count > 0;
        }
        catch (MachineException)
        {
            return false; // what is wrong with it is said to those who ask for it by name
        }
    }
}
