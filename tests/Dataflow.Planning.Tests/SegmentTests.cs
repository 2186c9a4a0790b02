using System.Globalization;
using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Schedules.Tests;

namespace Dataflow.Planning.Tests;

/// <summary>Plans whose context windows are streamed by segment.</summary>
[Trait("Slow", "true")]
public class SegmentTests
{
    [Trait("Soak", "true")]
    [Fact]
    public void Streamed_plans_of_random_requests_verify_within_their_footprints_and_read_back()
    {
        int plans = 0;
        for (int seed = 0; seed < Sample.Of(150); seed++)
        {
            foreach (var (workload, residency) in Streamed(seed))
            {
                var plan = Planner.PlanFor(workload, residency);
                Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, [plan.Budget.Device, plan.Budget.Host], plan.Workload.Model));
                Assert.Equal(plan.Schedule, ScheduleText.Parse(ScheduleText.Print(plan.Schedule)));
                if (workload.Kind.Updates())
                {
                    Assert.Empty(
                        ScheduleVerifier.Verify(Planner.Evaluation(plan), [plan.Budget.Device, plan.Budget.Host], plan.Workload.Model)
                    );
                }

                plans++;
            }
        }

        Assert.True(plans > Sample.Of(100), $"only {plans} plans were streamed");
    }

    [Trait("Soak", "true")]
    [Fact]
    public void Random_requests_are_planned_at_their_least_device_memory_by_segment_where_that_takes_less()
    {
        int planned = 0, streamed = 0;
        for (int seed = 0; seed < Sample.Of(400); seed++)
        {
            // The same shapes in units of the rows at which segments may begin.
            var request = RandomRequests.Make(seed, small: true) with
            {
                SaveSet = null,
                Budget = new MemoryBudget(Bytes.FromGiB(64), Bytes.Zero),
            };
            int chunk = request.Pins.ChunkTokens ?? Math.Max(1, request.Seqlen / 3);
            request = request with
            {
                Seqlen = request.Seqlen * SegmentRule.KeyRows,
                Pins = request.Pins with { ChunkTokens = chunk * SegmentRule.KeyRows },
            };
            PlanCandidates candidates;
            try
            {
                candidates = new PlanCandidates(request);
            }
            catch (UserErrorException)
            {
                continue;
            }

            var budget = request.Budget with { Device = candidates.Limits.LeastDevice(request.Budget.Host)!.Value };
            var plan = Assert.IsType<PlanResult.Feasible>(Planner.Plan(request with { Budget = budget })).Plan;
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, plan.Workload.Model));
            Assert.Equal(budget.Device, plan.DevicePeak);
            Assert.Null(candidates.Best(budget with { Device = budget.Device - new Bytes(1) }));
            (planned, streamed) = (planned + 1, streamed + (plan.Residency.WindowSegments > 1 ? 1 : 0));
        }

        Assert.True(planned > Sample.Of(200) && streamed > Sample.Of(40), $"{planned} planned, {streamed} of them by segment");
    }

    [Fact]
    public void Deleting_any_needed_wait_of_a_streamed_plan_is_flagged()
    {
        int trials = 0, needed = 0;
        for (int seed = 0; trials < 200; seed++)
        {
            foreach (var (workload, residency) in Streamed(seed, small: true))
            {
                var schedule = Planner.PlanFor(workload, residency).Schedule;
                var random = new Random(seed);
                var waits = schedule.Ops.SelectMany((op, i) => op.Waits.Select(w => (Op: i, Wait: w))).ToArray();
                for (int i = 0; i < 8 && schedule.Ops.Length <= 600; i++, trials++)
                {
                    var (op, wait) = waits[random.Next(waits.Length)];
                    var cut = schedule with
                    {
                        Ops = schedule.Ops.SetItem(op, schedule.Ops[op] with { Waits = schedule.Ops[op].Waits.Remove(wait) }),
                    };
                    bool wanted = BruteForce.HasUnorderedConflict(cut);
                    bool flagged = ScheduleVerifier.Verify(cut).Any(e => e.Rule == "hazard");
                    Assert.True(
                        wanted == flagged,
                        string.Create(
                            CultureInfo.InvariantCulture,
                            $"seed {seed}, op {op}, wait {wait}: needed {wanted}, flagged {flagged}"
                        )
                    );
                    needed += wanted ? 1 : 0;
                }
            }
        }

        Assert.True(needed > trials / 2, $"only {needed} of {trials} deleted waits were needed");
    }

    [Fact]
    public void A_chunk_attends_to_its_segments_in_order_between_its_projection_and_the_rest()
    {
        // One row of 5 chunks in 3 segments of 2, 2 and 1: what the chunks see is 0; 0; 0 1; 0 1; 0 1 2.
        var geometry = new Geometry(Seqlen: 40, Rows: 1, ChunkTokens: 8, ChunksPerRound: 5, Rounds: 1, HeadTokens: 8);
        var plan = Plan(geometry, segments: 3);
        string[] seen =
        [
            .. plan
                .Schedule.Ops.Where(o => o.Layer == new Layer(1))
                .Where(o => o.Kind is OpKind.Project or OpKind.Attend or OpKind.Combine)
                .Select(Text),
        ];
        Assert.Equal(
            [
                "Project C0 S0",
                "Attend C0 S0",
                "Combine C0 S0",
                "Project C1 S0",
                "Attend C1 S0",
                "Combine C1 S0",
                "Project C2 S1",
                "Attend C2 S0",
                "Attend C2 S1",
                "Combine C2 S1",
                "Project C3 S1",
                "Attend C3 S0",
                "Attend C3 S1",
                "Combine C3 S1",
                "Project C4 S2",
                "Attend C4 S0",
                "Attend C4 S1",
                "Attend C4 S2",
                "Combine C4 S2",
            ],
            seen);
        Assert.Equal(
            [
                "CombineBackward C4 S2",
                "AttendBackward C4 S0",
                "AttendBackward C4 S1",
                "AttendBackward C4 S2",
                "ProjectBackward C4 S2",
                "CombineBackward C3 S1",
            ],
            plan.Schedule.Ops.Where(o => o.Layer == new Layer(1))
                .Where(o => o.Kind is OpKind.CombineBackward or OpKind.AttendBackward or OpKind.ProjectBackward)
                .Take(6)
                .Select(Text)
        );

        // A chunk reads of its own segment what is there: chunk 2 one piece of segment 1, chunk 3 both. A piece is 8 rows of K and V, 8
        // fp32 each.
        Bytes Read(int chunk, int segment) =>
            plan
                .Schedule.Ops.Single(o =>
                    o.Kind == OpKind.Attend
                    && o.Layer == new Layer(0)
                    && o.Chunk == new Chunk(chunk)
                    && o.Segment == new Segment(segment, 3)
                )
                .Accesses.Single(a => a.Role == Roles.Kv)
                .Length;
        Assert.Equal((512, 1024, 1024, 512), (Read(2, 1).Value, Read(3, 1).Value, Read(4, 0).Value, Read(4, 2).Value));
    }

    [Fact]
    public void A_segment_travels_only_as_far_as_it_is_written_and_wanted()
    {
        // 4 chunks in 2 segments of 2, one slot. Pieces of K and V are 512 bytes, of their gradients too.
        var geometry = new Geometry(Seqlen: 32, Rows: 1, ChunkTokens: 8, ChunksPerRound: 4, Rounds: 1, HeadTokens: 8);
        var schedule = Plan(geometry, segments: 2).Schedule;
        long[] Copies(OpKind kind, string name) => [.. schedule.Ops
            .Where(o => o.Kind == kind && schedule.Objects[o.Accesses[0].Object].Name == name).Select(o => o.Accesses[0].Length.Value)];

        // Forward: chunk 2 fills half of segment 1 and has to let segment 0 pass: half of it comes back. Chunk 3: all of it.
        // Backward: chunk 3 wants all, chunk 2 the first half.
        Assert.Equal([512, 1024, 1024, 512], Copies(OpKind.Fetch, "KV/L00/G0/S1/R0"));
        Assert.Equal([512, 512], Copies(OpKind.Save, "KV/L00/G0/S1/R0"));

        // Its gradient leaves for segment 0 once, between chunks 3 and 2, when the second half has been used.
        Assert.Equal([512], Copies(OpKind.Save, "dKV/L00/G0/S1/R0"));
        Assert.Equal([512], Copies(OpKind.Fetch, "dKV/L00/G0/S1/R0"));
    }

    [Theory]
    [InlineData(SaveSet.Kv, 0, 2)]
    [InlineData(SaveSet.Kv | SaveSet.Attention, 1, 2)]
    [InlineData(SaveSet.Kv | SaveSet.Attention, 0, 4)]
    public void What_cannot_be_streamed_is_refused(SaveSet saved, int resident, int segments)
    {
        // 5 chunks make no 4 segments without an empty one.
        var geometry = new Geometry(Seqlen: 40, Rows: 1, ChunkTokens: 8, ChunksPerRound: 5, Rounds: 1, HeadTokens: 8);
        Assert.Throws<ArgumentException>(() => Plan(geometry, segments, saved, resident));
    }

    private static string Text(ScheduledOp op) => $"{op.Kind} {op.Chunk} {op.Segment}";

    private static TrainingPlan Plan(
        Geometry geometry,
        int segments,
        SaveSet saved = SaveSet.Kv | SaveSet.Attention,
        int resident = 0
    )
    {
        var model = new ModelConfig
        {
            Name = "hand", VocabSize = 64, ModelDim = 16, LayerCount = 2, HeadCount = 2, KvHeadCount = 1, HeadDim = 8, FfnDim = 24,
            RopeTheta = 10000, RmsNormEps = 1e-5f,
        };
        var workload = new Workload(model, Recipe.Fp32, geometry, WorkloadKind.Training);
        var programs = new BlockPrograms(model, workload.Recipe, geometry);
        return Planner.PlanFor(
            workload,
            new ResidencyChain(new MemorySizes(workload, programs), saved, Tier.Bare, segments)[0] with
            {
                ResidentChunks = resident,
            }
        );
    }

    /// <summary>For each number of segments that a random request may have, one of its residencies.</summary>
    private static IEnumerable<(Workload Workload, Residency Residency)> Streamed(int seed, bool small = false)
    {
        var request = RandomRequests.Make(seed, small);
        var random = new Random(seed);
        IReadOnlyList<Geometry> geometries;
        try
        {
            geometries = GeometryRule.Candidates(request);
        }
        catch (UserErrorException)
        {
            yield break;
        }

        var workload = new Workload(request.Model, request.Recipe, geometries[random.Next(geometries.Count)], request.Kind);
        var programs = new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry);
        var saved = (SaveSet)random.Next((int)SaveSet.All + 1) | SaveSet.Kv | SaveSet.Attention;
        foreach (int segments in SegmentRule.Counts(workload, saved, keyRows: 1))
        {
            var chain = new ResidencyChain(new MemorySizes(workload, programs), saved, (Tier)random.Next(3), segments);
            yield return (workload, chain[random.Next(chain.Count)]);
        }
    }
}
