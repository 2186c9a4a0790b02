using Dataflow.Model;

namespace Dataflow.Tests;

/// <summary>A run of a second, in a folder of its own.</summary>
internal sealed class TinyRun : IDisposable
{
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("dataflow-");

    public TinyRun() => File.WriteAllText(Path.Combine(folder.FullName, "text.txt"), string.Concat(Enumerable.Range(0, 2000)));

    public string PathOf(string name) => Path.Combine(folder.FullName, name);

    public TrainingOptions Options(int steps, string? checkpoint = null) => new()
    {
        Plan = new PlanOptions
        {
            Model = "nano",
            Seqlen = 64,
            DeviceMemory = new Bytes(8 << 20),
            HostMemory = new Bytes(64 << 20),
            GlobalBatch = 512,
            Device = DeviceOptions.Cpu,
        },
        Data = [PathOf("text.txt")],
        Steps = steps,
        Checkpoint = checkpoint is null ? null : PathOf(checkpoint),
    };

    public static double[] Losses(TrainingOptions options)
    {
        using var run = TrainingRun.Prepare(options);
        return [.. run.Steps().Select(s => s.Step.Loss)];
    }

    public void Dispose() => folder.Delete(recursive: true);
}
