using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow;

/// <summary>What somebody asks who has a GPU and so much memory.</summary>
/// <param name="Model">The model, as it is named.</param>
/// <param name="Hardware">The GPU: a name in profiling/hardware or a profile's file.</param>
/// <param name="HostMemory">What the machine has for it.</param>
public sealed record FitQuestion(string Model, string Hardware, Bytes HostMemory)
{
    /// <summary>Device memory; null: 98% of the GPU's.</summary>
    public Bytes? DeviceMemory { get; init; }

    /// <summary>Tokens of a sequence that are tried, ascending.</summary>
    public IReadOnlyList<int> Seqlens { get; init; } = FitGrids.Seqlens;

    /// <summary>Tokens to train on; null: nobody asks how long that takes.</summary>
    public long? Tokens { get; init; }

    /// <summary>Of a GPU-hour; null: nobody asks what it costs.</summary>
    public double? Price { get; init; }

    /// <summary>Hours that the tokens take; null where nobody asks.</summary>
    public double? HoursOf(FitFigures figures)
    {
        ArgumentNullException.ThrowIfNull(figures);
        return Tokens / figures.TokensPerSecond / 3600;
    }

    /// <summary>The answers, by method and then by length.</summary>
    /// <exception cref="UserErrorException">There is no such model or GPU.</exception>
    public IReadOnlyList<FitAnswer> Answer()
    {
        using var source = ModelSource.Open(Model);
        var machine = HardwareFiles.Load(Hardware);
        var budget = new MemoryBudget(HostMemory, DeviceMemory ?? Fits.DeviceMemory(machine));
        FitCase[] cases =
        [
            .. from method in FitMethods.All
            from seqlen in Seqlens
            select new FitCase(Model, source.Model, machine, method, seqlen, budget),
        ];
        var answers = new FitAnswer[cases.Length];
        Fits.Answer(cases, (i, answer) => answers[i] = answer);
        return answers;
    }
}
