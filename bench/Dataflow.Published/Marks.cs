using System.Globalization;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Simulation;

namespace Dataflow.Published;

/// <summary>
/// What policy auto is predicted to reach on a Hopper GPU in the rows that the project wants to see there, beside the marks and the best
/// that was published of the reference system and its successor (bench/published/marks.csv). At most 110 GiB of host memory and 524,288
/// tokens a step.
/// </summary>
internal static class Marks
{
    private const int StepTokens = 524_288;
    private static readonly string[] Machines = ["h200-sxm", "h100-sxm"];
    private static readonly Bytes Host = Bytes.FromGiB(110);

    // Attention that a reproducible run can have on an H200, as shares of the peak that long sequences tend to: this project's own kernels
    // as the head comments of kernels/flash_attention_*.cu derive them, and cuDNN as NVIDIA measured release 9.19 on an H200, causal, with
    // heads of 128 (688 TFLOP/s at 32,768 tokens; 581 backward, of which an ordered gradient of queries is taken to cost 14%).
    private const string OwnMachine = "h200-sxm";
    private static readonly Attention s_own = new("own", 0.36, 0.278, 3.65e12);
    private static readonly Attention s_cudnn = s_own with { Name = "cuDNN", Forward = 0.70, Backward = 0.51 };

    /// <summary>Markdown, which also reads as plain text.</summary>
    public static string Markdown(string checkout, string conditions)
    {
        var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        text.WriteLine("# Predictions for the marks on a Hopper GPU\n");
        text.WriteLine($"{conditions}\n");
        text.WriteLine(
            "Predicted, nothing ran: policy auto, bf16, 110 GiB of host memory, 524,288 tokens a step, the profile's reserve within the "
                + "device budget. The constants were"
        );
        text.WriteLine(
            "fitted to published H100 runs whose attention is faster than a reproducible one (\"fast\"); \"det\" takes 0.86 of their "
                + "backward's rate. The floor is the plan's own"
        );
        text.WriteLine("geometry with nothing repeated and nothing waiting. H200 has H100's constants and more memory bandwidth.\n");
        text.WriteLine(
            "\"Own\" and \"cuDNN\" are what this project is built to run, reproducibly: its kernels for all but products, with "
                + $"{s_own.Memory / 1e12:0.00} TB/s where memory bounds them, and attention of its own ({s_own.Forward} of the peak "
                + $"forward, {s_own.Backward} backward: derived in the head comments of"
        );
        text.WriteLine(
            $"`kernels/flash_attention_*.cu`) or by cuDNN ({s_cudnn.Forward} and {s_cudnn.Backward}: what NVIDIA published of release 9.19 "
                + "on an H200, less 14% backward for a fixed order). None of"
        );
        text.WriteLine(
            "it has been measured here; products, links and what narrow heads lose are the H100's, and cuDNN's workspace is not in the "
                + "budget. \"Of the mark\" is the predicted speed"
        );
        text.WriteLine("over the mark det.\n");
        foreach (string name in Machines)
        {
            text.WriteLine($"## {name}\n");
            var profile = HardwareProfileReader.Parse(
                File.ReadAllText(Path.Combine(checkout, "profiling", "hardware", name + ".json")),
                name
            );
            Attention[] providers = name == OwnMachine ? [s_own, s_cudnn] : [];
            string columns = string.Concat(providers.Select(p => $"| predicted {p.Name} | floor {p.Name} | of the mark "));
            string aligned = string.Concat(providers.Select(_ => "|---:|---:|---:"));
            text.WriteLine(
                "| model, seqlen | device GiB | mark det | predicted det | floor det | compute busy | mark fast | predicted fast | floor "
                    + "fast "
                    + $"{columns}| published | plan (det) "
                    + $"|\n|---|---:|---:|---:|---:|---:|---:|---:|---:{aligned}|---:|---|"
            );
            foreach (
                string[] row in File.ReadLines(Path.Combine(checkout, "bench", "published", "marks.csv")).Skip(1).Select(l => l.Split(','))
            )
            {
                var model = ModelConfigReader.Parse(File.ReadAllText(Path.Combine(checkout, "models", row[0] + ".json")), row[0]);
                int seqlen = int.Parse(row[1], CultureInfo.InvariantCulture);
                var budget = new MemoryBudget(Host, Bytes.FromGiB(double.Parse(row[2], CultureInfo.InvariantCulture)));
                var (det, fast) = (
                    Find(model, seqlen, budget, EfficiencyConstants.Deterministic(profile)),
                    Find(model, seqlen, budget, profile)
                );
                string Rate(PlanCandidate? c) => c is null ? "does not fit" : $"{c.TokensPerSecond:N0}";
                string Share(PlanCandidate? c, string mark) =>
                    c is null
                        ? ""
                        : (c.TokensPerSecond / int.Parse(mark, CultureInfo.InvariantCulture)).ToString("0%", CultureInfo.InvariantCulture);
                string Busy(PlanCandidate? c) =>
                    c is null ? "" : ((double)c.ComputeNanoseconds / c.StepNanoseconds).ToString("0.0%", CultureInfo.InvariantCulture);
                string Floor(PlanCandidate? c) =>
                    c is null ? "" : $"{c.Choice.Geometry.TokensPerStep * 1e9 / c.GeometryFloorNanoseconds:N0}";
                text.WriteLine(
                    $"| {row[0]}, {seqlen:N0} | {row[2]} | {Number(row[3])} | {Rate(det)} | {Floor(det)} | "
                        + $"{Busy(det)} "
                        + $"| {Number(row[4])} | {Rate(fast)} | {Floor(fast)} "
                        + string.Concat(
                            providers
                                .Select(p => Find(model, seqlen, budget, p.On(profile)))
                                .Select(c => $"| {Rate(c)} | {Floor(c)} | {Share(c, row[3])} ")
                        )
                        + $"| {Number(row[5])} | {Plan(det)} |"
                );
            }

            text.WriteLine();
        }

        return text.ToString().TrimEnd('\n') + "\n";
    }

    private static PlanCandidate? Find(ModelConfig model, int seqlen, MemoryBudget budget, HardwareProfile profile)
    {
        var request = new PlanRequest(model, Recipe.Bf16, WorkloadKind.Training, seqlen, StepTokens / seqlen, new GeometryPins(), budget)
        {
            Reserve = profile.Reserve,
        };
        return (new PlanSearch(request, new CostModel(profile, DType.BFloat16)).Find(budget) as SearchResult.Found)?.Best;
    }

    private static string Number(string text) =>
        text.Length == 0 ? "" : int.Parse(text, CultureInfo.InvariantCulture).ToString("N0", CultureInfo.InvariantCulture);

    private static string Plan(PlanCandidate? c) =>
        c is null
            ? ""
            : $"chunks of {c.Choice.Geometry.ChunkTokens:N0}, {c.Choice.Geometry.ChunksPerRound} a round, {c.Choice.Geometry.Rounds} "
                + $"rounds{(c.Choice.Residency.Interleaved ? ", interleaved" : "")}; device {c.Device.GiB:F1}, host {c.Host.GiB:F1} GiB";

    /// <param name="Name">In the table's head.</param>
    /// <param name="Forward">Of the peak.</param>
    /// <param name="Backward">Likewise.</param>
    /// <param name="Memory">Bytes a second of the kernels beside it.</param>
    private sealed record Attention(string Name, double Forward, double Backward, double Memory)
    {
        /// <summary>A machine with it.</summary>
        public HardwareProfile On(HardwareProfile profile)
        {
            Figure Expected(double value) =>
                new(value, FigureKind.Estimate, $"what attention by {Name} is expected to reach; to be measured");
            return profile with
            {
                MemoryBandwidthBytesPerSecond = Expected(Memory / CostModel.MemoryShare),
                Efficiency = profile
                    .Efficiency.SetItem("attention_forward", Expected(Forward))
                    .SetItem("attention_backward", Expected(Backward)),
            };
        }
    }
}
