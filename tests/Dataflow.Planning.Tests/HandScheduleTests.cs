using System.Globalization;
using System.Text;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>The planner against one step that was derived by hand (golden/two-layers-three-chunks.md).</summary>
public class HandScheduleTests
{
    [Fact]
    public void The_planner_reproduces_the_hand_made_step_op_by_op_and_wait_by_wait()
    {
        var schedule = Planner.PlanFor(Workload, Residency).Schedule;
        Assert.Empty(ScheduleVerifier.Verify(schedule));
        Assert.Equal(Golden(), Lines(schedule));
    }

    [Fact]
    public void At_the_border_the_first_layer_is_on_the_device_and_everything_that_travels_is_at_home()
    {
        var schedule = Planner.PlanFor(Workload, Residency).Schedule;
        var places = schedule.State.Select(p => $"{schedule.Objects[p.Object].Name} {schedule.Slots[p.Slot].Name}").ToHashSet();
        Assert.Contains("W/L00 W.0", places);
        Assert.Contains("W/L00 home/W/L00", places);
        Assert.Contains("W/L01 home/W/L01", places);
        Assert.DoesNotContain("W/L01 W.0", places);
        Assert.Contains("O/embed/P0 home/O/embed/P0", places);
    }

    private static Workload Workload { get; } = new(
        new ModelConfig
        {
            Name = "hand", VocabSize = 64, ModelDim = 16, LayerCount = 2, HeadCount = 2, KvHeadCount = 1, HeadDim = 8, FfnDim = 24,
            RopeTheta = 10000, RmsNormEps = 1e-5f,
        },
        Recipe.Fp32, new Geometry(Seqlen: 24, Rows: 1, ChunkTokens: 8, ChunksPerRound: 3, Rounds: 1, HeadTokens: 8), WorkloadKind.Training);

    private static Residency Residency { get; } = new()
    {
        Travelling = SaveSet.All,
        ResidentChunks = 0,
        WeightSlots = 1,
        GradientSlots = 1,
        ResidentGradients = 0,
        OptimizerSlots = 1,
        ResidentPieces = 0,
        VocabularyResident = true,
        StreamSlots = 9,
        ActivationSlots = 5,
        WindowSlots = 2,
        GradStreamSlots = 3,
    };

    private static string[] Golden()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "golden", "two-layers-three-chunks.md");
        return [.. File.ReadLines(path)
            .Select(l => l.Split('|', StringSplitOptions.TrimEntries))
            .Where(c => c.Length > 5 && int.TryParse(c[1], CultureInfo.InvariantCulture, out _))
            .Select(c => $"{c[1]} {c[2]} | {c[3]} | {c[4]}")];
    }

    private static string[] Lines(Schedule schedule) => [.. schedule.Ops.Select((op, i) =>
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{i} {op.Kind}");
        if (op.Kind is OpKind.Fetch or OpKind.Save)
        {
            text.Append(CultureInfo.InvariantCulture, $" {schedule.Objects[op.Accesses[0].Object].Name}");
        }
        else
        {
            foreach (object? part in new object?[] { op.Layer, op.Chunk, op.Round })
            {
                text.Append(part is null ? "" : $" {part}");
            }

            text.Append(op.Kind == OpKind.Update ? string.Create(CultureInfo.InvariantCulture, $" P{op.Piece}") : "");
        }

        string stream = schedule.Streams[op.Stream] switch { "compute" => "c", "h2d" => "in", "d2h" => "out", var other => other };
        string waits = string.Join(' ', op.Waits.Select(w => (w.Distance == 1 ? "-" : "") + w.Op.ToString(CultureInfo.InvariantCulture)));
        return $"{text} | {stream} | {waits}";
    })];
}
