using System.Text.Json.Nodes;
using Dataflow.Cuda;
using Dataflow.Model;

namespace Dataflow.GpuCheck;

/// <summary>
/// Kernels' speed under sustained load as a share of what the GPU was measured to do: memory-bound ones of a copy within the device,
/// products of the fastest algorithm that cuBLASLt has, attention in TFLOP/s. On the emulation nothing is judged.
/// </summary>
internal sealed class SpeedStage : Stage
{
    private const double MemoryMark = 0.85;
    private const double ProductMark = 0.95;
    private const double ForwardMark = 300e12;
    private const double BackwardMark = 230e12;
    private static readonly Bytes s_copy = new(1L << 30);

    /// <inheritdoc/>
    public override string Name => "speed";

    /// <inheritdoc/>
    public override string Title => "kernels' speed as a share of measured ceilings";

    /// <inheritdoc/>
    public override TimeSpan CaseLimit => TimeSpan.FromSeconds(60);

    /// <inheritdoc/>
    public override TimeSpan ExpectedOf(string name) =>
        TimeSpan.FromSeconds(name.StartsWith("attention", StringComparison.Ordinal) ? 6 : 12);

    /// <inheritdoc/>
    public override IReadOnlyList<string> Cases(CheckSettings settings) =>
        [
            .. (settings.Emulated ? ["nano"] : new[] { "8b", "1b" }).SelectMany(m =>
                new[] { $"memory-{m}", $"attention-{m}", $"attention-{m}{StepRun.ByCudnn}", $"products-{m}" }
            ),
        ];

    /// <inheritdoc/>
    public override CaseResult Run(string name, CheckSettings settings, Action<string> say)
    {
        string[] parts = name.Split('-');
        using var bench = KernelTrials.SpeedBench(settings, parts[1], StepRun.AttentionOf(name, settings.OpenGpu()));
        using var monitor = GpuMonitor.Open(bench.Context.Gpu);
        var rows = parts[0] switch { "memory" => Memory(bench), "attention" => Attention(bench), _ => Products(bench) };
        var figures = new JsonObject();
        var below = new List<string>();
        int count = 0;
        double least = double.PositiveInfinity;
        foreach (var row in rows)
        {
            var json = new JsonObject
            {
                ["seconds"] = row.Seconds,
                ["tflops"] = row.Flops / row.Seconds / 1e12,
                ["gb_per_s"] = row.Bytes / row.Seconds / 1e9,
                ["share"] = row.Share,
                ["mark"] = row.Mark,
            };
            figures[row.Name] = json;
            count++;
            say(
                $"{row.Name}: {row.Seconds * 1e6:0.0} us, "
                    + $"{(row.Flops > 0 ? $"{row.Flops / row.Seconds / 1e12:0.0} TFLOP/s" : $"{row.Bytes / row.Seconds / 1e9:0} GB/s")}, "
                    + $"{row.Said}"
            );
            if (row is { Share: { } share, Mark: { } mark })
            {
                least = Math.Min(least, share / mark);
                if (share < mark)
                {
                    below.Add($"{row.Name} {row.Said}");
                }
            }
        }

        figures["clock_mhz_at_the_end"] = monitor.Clock();
        figures["watts_at_the_end"] = monitor.Watts();
        string detail = below.Count > 0 ? $"{below.Count} of {count} below the mark: {string.Join("; ", below)}"
            : double.IsFinite(least) ? $"{count} kernels, the slowest at {least:0%} of its mark" : $"{count} kernels, held to no mark";
        return settings.Emulated ? CaseResult.Of(true, $"{count} kernels ran; their times on the emulation mean nothing", figures)
            : new CaseResult(below.Count > 0 ? Verdict.Below : Verdict.Passed, detail, figures);
    }

    private static IEnumerable<SpeedRow> Memory(Workbench bench)
    {
        var length = bench.IsEmulated ? new Bytes(1 << 16) : s_copy;
        using var from = DeviceMemory.Allocate(bench.Context, length, "a copy");
        using var to = DeviceMemory.Allocate(bench.Context, length, "a copy");
        bench.Stream.Fill(from.Start, 1, length);
        double rate = 2.0 * length.Value / bench.Seconds(() => bench.Stream.CopyOnDevice(to.Start, from.Start, length));
        yield return new SpeedRow("copy within the device", 0, rate, 1, null, null, "the ceiling");
        foreach (var make in KernelTrials.Memory)
        {
            var trial = make(bench);
            double seconds = bench.Seconds(trial.Launch), share = trial.Bytes / seconds / rate;
            yield return new SpeedRow(trial.Name, 0, trial.Bytes, seconds, share, MemoryMark, $"{share:0%} of a copy");
            bench.Clear();
        }
    }

    private static IEnumerable<SpeedRow> Attention(Workbench bench)
    {
        foreach (var (make, mark) in KernelTrials.Attention.Zip([ForwardMark, BackwardMark]))
        {
            var trial = make(bench);
            double seconds = bench.Seconds(trial.Launch), share = trial.Flops / seconds / mark;
            bool judged = bench.Model.HeadDim == 128; // the marks are for these heads
            yield return new SpeedRow(
                trial.Name,
                trial.Flops,
                trial.Bytes,
                seconds,
                judged ? share : null,
                judged ? 1 : null,
                judged ? $"{share:0%} of its mark" : "no mark for these heads"
            );
            bench.Clear();
        }
    }

    private static IEnumerable<SpeedRow> Products(Workbench bench)
    {
        foreach (var (_, make) in ProductTrials.All(bench.Model))
        {
            var product = make(bench);
            double fastest = product.Fastest(),
                seconds = bench.Seconds(product.Trial.Launch),
                share = fastest / seconds;
            yield return new SpeedRow(
                product.Trial.Name,
                product.Trial.Flops,
                product.Trial.Bytes,
                seconds,
                share,
                ProductMark,
                $"{share:0%} of cuBLASLt's best"
            );
            bench.Clear();
        }
    }

    private readonly record struct SpeedRow(
        string Name,
        double Flops,
        double Bytes,
        double Seconds,
        double? Share,
        double? Mark,
        string Said
    );
}
