using Dataflow.Model;
using Dataflow.Planning;

namespace Dataflow.Benchmarks;

/// <summary>A plan that is measured.</summary>
/// <param name="Limit">Seconds that planning it may take.</param>
public sealed record PlanCase(string Model, int Seqlen, int DeviceGib, int HostGib, double Limit, int? ChunkTokens = null)
{
    /// <summary>The cases that planning is held to.</summary>
    public static IReadOnlyList<PlanCase> All { get; } =
    [
        new("8b", 8192, 24, 75, 2),
        new("32b", 65536, 24, 1024, 5),
        new("70b", 8192, 24, 1024, 5),
        new("8b", 1048576, 24, 1024, 10),
    ];

    /// <summary>The same, and one with many small chunks, where anything that is not linear shows.</summary>
    public static IReadOnlyList<PlanCase> WithManyChunks { get; } = [.. All, new("8b", 1048576, 64, 1024, 10, 2048)];

    /// <summary>The verbs' options for it.</summary>
    public string[] Options =>
        [
            Model,
            "--seqlen",
            $"{Seqlen}",
            "--device-memory",
            $"{DeviceGib}GiB",
            "--host-memory",
            $"{HostGib}GiB",
            "--dtype",
            "bf16",
            "--hardware",
            "h100",
            "--no-cache",
            .. ChunkTokens is { } chunk ? ["--chunk", $"{chunk}"] : Array.Empty<string>(),
        ];

    /// <summary>"8b at 8192 in 24 and 75 GiB".</summary>
    public override string ToString() =>
        $"{Model} at {Seqlen} in {DeviceGib} and {HostGib} GiB{(ChunkTokens is { } chunk ? $", chunks of {chunk}" : "")}";

    /// <summary>The planner's request.</summary>
    internal PlanRequest Request()
    {
        using var source = ModelSource.Open(Model);
        var budget = new MemoryBudget(Bytes.FromGiB(HostGib), Bytes.FromGiB(DeviceGib));
        return new PlanOptions { Model = Model, Seqlen = Seqlen, Dtype = Recipe.Bf16, Chunk = ChunkTokens }
            .Request(source.Model, WorkloadKind.Training, budget);
    }
}
