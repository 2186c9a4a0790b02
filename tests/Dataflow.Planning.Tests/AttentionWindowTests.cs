using System.Collections.Immutable;
using Dataflow.Model;
using Dataflow.Schedules;

namespace Dataflow.Planning.Tests;

/// <summary>
/// A long context of which most layers see only the last part: what travels and what is computed is what the attention windows leave,
/// counted by hand.
/// </summary>
[Trait("Slow", "true")]
public class AttentionWindowTests
{
    private const int Seqlen = 131_072;
    private const int Window = 1024;
    private const int Chunk = 2048;
    private const int Chunks = Seqlen / Chunk;

    // K and V of a token: 2 heads of 64 each, of 2 bytes; their gradients have 4.
    private const long KvBytes = 2 * 2 * 64 * 2;

    private static readonly LayerKind s_windowed = new(512, Window);
    private static readonly LayerKind s_full = new(512);

    private static readonly ModelConfig s_model = new()
    {
        Name = "hand", VocabSize = 512, ModelDim = 256, LayerCount = 6, HeadCount = 4, KvHeadCount = 2, HeadDim = 64, FfnDim = 512,
        RopeTheta = 10000, RmsNormEps = 1e-5f,
        Pattern = new LayerPattern([s_windowed, s_windowed, s_windowed, s_windowed, s_windowed, s_full]),
    };

    /// <summary>Segments, and how many of them the attention of a chunk reads: its own, and those that the window reaches.</summary>
    public static TheoryData<int, int> Segments => new() { { 64, 2 }, { 32, 2 }, { 8, 2 } };

    [Theory]
    [MemberData(nameof(Segments))]
    public void Keys_and_values_of_a_windowed_layer_leave_once_and_come_back_once(int segments, int slots)
    {
        var plan = Plan(segments, slots);
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, plan.Workload.Model));
        long whole = Seqlen * KvBytes;

        // Forward: a chunk's own segment and the one before are in the two slots. Backward, from the last chunk down: each segment is
        // fetched when the chunk above reaches into it; the last two have never left.
        long turn = plan.Workload.Geometry.RowsOf(new Segment(segments - 1, segments)) * 2L * KvBytes;
        for (int l = 0; l < 5; l++)
        {
            Assert.Equal(whole, Bytes(plan, OpKind.Save, ObjectFamily.Windows, l));
            Assert.InRange(Bytes(plan, OpKind.Fetch, ObjectFamily.Windows, l), whole - turn, whole);
            Assert.Equal(0, Bytes(plan, OpKind.Save, ObjectFamily.GradWindows, l));
            Assert.Equal(0, Bytes(plan, OpKind.Fetch, ObjectFamily.GradWindows, l));
        }

        // The full layer has to read half of the context for every chunk, forward and backward, as far as two slots do not hold it.
        double half = (double)whole * segments / 2 * plan.Workload.Geometry.ChunksPerSegment(segments);
        double read = Bytes(plan, OpKind.Fetch, ObjectFamily.Windows, 5);
        Assert.InRange(read / (2 * half), segments == 8 ? 0.6 : 0.9, 1.2);
    }

    [Fact]
    public void A_chunk_visits_the_segments_that_its_window_reaches()
    {
        var plan = Plan(64, slots: 2);
        for (int c = 0; c < Chunks; c++)
        {
            // Its first token sees 1,023 rows before it: into the chunk before, never further.
            string[] wanted = c == 0 ? ["S0/64"] : [$"S{c - 1}/64", $"S{c}/64"];
            Assert.Equal(wanted, Visited(plan, OpKind.Attend, 0, c));
            Assert.Equal(wanted, Visited(plan, OpKind.AttendBackward, 4, c));
            Assert.Equal(c + 1, Visited(plan, OpKind.Attend, 5, c).Length);
        }
    }

    [Fact]
    public void Attention_computes_the_pairs_within_windows()
    {
        var plan = Plan(64, slots: 2);

        // The first 1,024 tokens see 1, 2, ..., 1,024 keys, all others 1,024; without a window the t-th sees t.
        double windowed = (Window * (Window + 1) / 2.0) + ((Seqlen - Window) * (double)Window);
        double full = Seqlen * (Seqlen + 1.0) / 2;
        const double width = 4 * 64;
        for (int l = 0; l < 6; l++)
        {
            double pairs = l == 5 ? full : windowed;
            Assert.Equal(4 * pairs * width, Flops(plan, OpKind.Attend, l));
            Assert.Equal(10 * pairs * width, Flops(plan, OpKind.AttendBackward, l));
        }
    }

    [Fact]
    public void The_search_expects_no_traffic_of_segments_that_slots_hold()
    {
        var geometry = Geometry();
        var programs = new BlockPrograms(s_model, Recipe.Bf16, geometry);
        var traffic = new SegmentTraffic(programs, geometry, [5, 1]);

        // In the full layer each of 64 chunks fetches half of 64 pieces; in a windowed one its own and the one before, but the first.
        long piece = Chunk * KvBytes;
        Assert.Equal(64.0 * 32 * piece, traffic.Bytes(64, slots: 2));
        Assert.Equal((64.0 * 32 * piece) + (5.0 * 127 * piece), traffic.Bytes(64, slots: 1));
    }

    private static Geometry Geometry() => new(Seqlen, Rows: 1, Chunk, Chunks, Rounds: 1, HeadTokens: 512);

    private static TrainingPlan Plan(int segments, int slots)
    {
        var workload = new Workload(s_model, Recipe.Bf16, Geometry(), WorkloadKind.Training);
        var sizes = new MemorySizes(workload, new BlockPrograms(s_model, workload.Recipe, workload.Geometry));
        var residency = new ResidencyChain(sizes, SaveSet.Kv | SaveSet.Attention, Tier.Doubled, segments)[0];
        return Planner.PlanFor(workload, residency with { WindowSlots = slots });
    }

    private static long Bytes(TrainingPlan plan, OpKind kind, ObjectFamily family, int layer) =>
        plan.Schedule.Ops.Where(o => o.Kind == kind)
            .Select(o => o.Accesses[0])
            .Where(a => plan.Schedule.Objects[a.Object].Id is { } id && id.Family == family && id.Layer == new Layer(layer))
            .Sum(a => a.Length.Value);

    private static string[] Visited(TrainingPlan plan, OpKind kind, int layer, int chunk) =>
        [
            .. Attention(plan, kind, layer).Where(o => o.Chunk == new Chunk(chunk)).Select(o => o.Segment!.Value)
                .Select(s => $"S{s.Index}/{s.Count}"),
        ];

    private static double Flops(TrainingPlan plan, OpKind kind, int layer)
    {
        var (model, geometry) = (plan.Workload.Model, plan.Workload.Geometry);
        var programs = new BlockPrograms(model, plan.Workload.Recipe, geometry);
        return Attention(plan, kind, layer).Sum(op =>
        {
            var program = OpPrograms.Of(op, programs, geometry)!;
            return program.Calls.Sum(call => KernelWork.Of(call, program, model, geometry, op.Chunk!.Value, op.Segment).Flops);
        });
    }

    private static IEnumerable<ScheduledOp> Attention(TrainingPlan plan, OpKind kind, int layer) =>
        plan.Schedule.Ops.Where(o => o.Kind == kind && o.Layer == new Layer(layer));
}
