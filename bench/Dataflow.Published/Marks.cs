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

    // This project's own kernels on an H200: shares of the peak that its attention is built to reach, and bytes a second that memory-bound
    // kernels do.
    private const string OwnMachine = "h200-sxm";
    private const double OwnForward = 0.355;
    private const double OwnBackward = 0.278;
    private const double OwnMemory = 3.65e12;

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
        text.WriteLine(
            "geometry with nothing repeated and nothing waiting. H200 has H100's constants and more memory bandwidth. \"Own\" takes what "
                + "this project's own kernels are"
        );
        text.WriteLine(
            $"built to reach on an H200, where none has been measured yet: attention at {OwnForward} of the peak forward and "
                + $"{OwnBackward} backward, which is reproducible, and"
        );
        text.WriteLine(
            $"{OwnMemory / 1e12:0.00} TB/s in kernels that memory bounds; products, links and what narrow heads lose are the H100's.\n"
        );
        foreach (string name in Machines)
        {
            text.WriteLine($"## {name}\n");
            var profile = HardwareProfileReader.Parse(
                File.ReadAllText(Path.Combine(checkout, "profiling", "hardware", name + ".json")),
                name
            );
            var own = name == OwnMachine ? Own(profile) : null;
            text.WriteLine(
                "| model, seqlen | device GiB | mark det | predicted det | floor det | compute busy | mark fast | predicted fast | floor "
                    + "fast "
                    + $"{(own is null ? "" : "| predicted own | floor own ")}| published | plan (det) "
                    + $"|\n|---|---:|---:|---:|---:|---:|---:|---:|---:{(own is null ? "" : "|---:|---:")}|---:|---|"
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
                string Busy(PlanCandidate? c) =>
                    c is null ? "" : ((double)c.ComputeNanoseconds / c.StepNanoseconds).ToString("0.0%", CultureInfo.InvariantCulture);
                string Floor(PlanCandidate? c) =>
                    c is null ? "" : $"{c.Choice.Geometry.TokensPerStep * 1e9 / c.GeometryFloorNanoseconds:N0}";
                text.WriteLine(
                    $"| {row[0]}, {seqlen:N0} | {row[2]} | {Number(row[3])} | {Rate(det)} | {Floor(det)} | "
                        + $"{Busy(det)} "
                        + $"| {Number(row[4])} | {Rate(fast)} | {Floor(fast)} "
                        + $"{(own is not null && Find(model, seqlen, budget, own) is var ours ? $"| {Rate(ours)} | {Floor(ours)} " : "")}"
                        + $"| {Number(row[5])} | {Plan(det)} |"
                );
            }

            text.WriteLine();
        }

        return text.ToString().TrimEnd('\n') + "\n";
    }

    /// <summary>A machine with this project's own kernels.</summary>
    private static HardwareProfile Own(HardwareProfile profile)
    {
        static Figure Expected(double value) =>
            new(value, FigureKind.Estimate, "what this project's own kernels are built to reach; to be measured");
        return profile with
        {
            MemoryBandwidthBytesPerSecond = Expected(OwnMemory / CostModel.MemoryShare),
            Efficiency = profile
                .Efficiency.SetItem("attention_forward", Expected(OwnForward))
                .SetItem("attention_backward", Expected(OwnBackward)),
        };
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
}
