using Dataflow.Generation;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow.Conformance;

/// <summary>
/// Every family continues a prompt as Hugging Face transformers does in float64 without a cache: token by token and in one pass, within
/// roomy and the smallest budgets, alone and among prompts of other lengths.
/// </summary>
public abstract class GenerationConformance<TDevice> : ConformanceSuite<TDevice>
    where TDevice : DeviceUnderTest, new()
{
    private const int Chunk = 32;

    /// <summary>Every family; on a slow device one of ten, and all of them in a soak run.</summary>
    public static TheoryData<string> Cases =>
        [.. GoldenCase.Families.Where((_, i) => IsSoak || !Device.IsSlow || i % 10 == 3)];

    /// <summary>Greedy, in fp32.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void A_prompt_is_continued_as_transformers_does(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        var (prompt, want, _) = golden.Generation;
        int[][] others = [.. new[] { 1, 19, 5 }.Select((length, row) => golden.Row(row % golden.Rows)[..length])];
        int[][] prompts = [others[0], prompt, .. others[1..]];
        foreach (var plan in Plans(golden, Recipe.Fp32, prompts.Select(p => p.Length + want.Length)))
        {
            using var device = Device.Open(plan.Schedule, plan.Workload, 0);
            var model = Load(golden, plan, device);
            Assert.Equal(want, Continue(model, golden, [prompt], want.Length)[0]);
            int[][] together = Continue(model, golden, prompts, want.Length);
            Assert.Equal(want, together[1]);
            Assert.Equal(want, WithoutCache(model, prompt, want.Length));
            if (!Device.IsSlow)
            {
                foreach (int other in new[] { 0, 2, 3 })
                {
                    Assert.Equal(Continue(model, golden, [prompts[other]], want.Length)[0], together[other]);
                }
            }
        }
    }

    /// <summary>Positions that go by the length, which prompt and tokens asked for fix, here beyond the original one.</summary>
    [Theory]
    [InlineData("llama-rope-dynamic", 40)]
    [InlineData("phi3-longrope-long", 40)]
    public void Where_the_rotation_depends_on_the_length_the_cache_changes_nothing(string name, int count)
    {
        var golden = GoldenCase.OfFamily(name);
        int[] prompt = golden.Row(0)[..10];
        foreach (var plan in Plans(golden, Recipe.Fp32, [prompt.Length + count]))
        {
            using var device = Device.Open(plan.Schedule, plan.Workload, 0);
            var model = Load(golden, plan, device);
            Assert.Equal(WithoutCache(model, prompt, count), Continue(model, golden, [prompt], count)[0]);
        }
    }

    /// <summary>Where the cache has no room, prompts wait, and are continued as they are alone.</summary>
    [Fact]
    public void Prompts_wait_for_room()
    {
        var golden = GoldenCase.OfFamily("llama-bias");
        int[][] prompts = [.. Enumerable.Range(0, 5).Select(i => golden.Row(0)[i..((3 * i) + 4)])];
        var plan = Plans(golden, Recipe.Fp32, [30, 30]).Last();
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var model = Load(golden, plan, device);
        int[][] together = Continue(model, golden, prompts, 12);
        for (int p = 0; p < prompts.Length; p++)
        {
            Assert.Equal(Continue(model, golden, [prompts[p]], 12)[0], together[p]);
        }
    }

    /// <summary>
    /// Token by token, each at its own row, logits are those of one pass over the row: to the bit on the CPU, which does not look at what
    /// else is in a step; within the rounding of the recipe elsewhere, and where a recurrence is computed by blocks of a step's tokens.
    /// </summary>
    [Theory]
    [InlineData("gemma2", "fp32", 1e-5)]
    [InlineData("ministral3", "fp32", 1e-5)]
    [InlineData("qwen3.5", "fp32", 1e-5)]
    [InlineData("nemotron-h", "fp32", 1e-5)]
    [InlineData("gemma2", "bf16", 3e-2)]
    [InlineData("llama-bias", "bf16", 3e-2)]
    [InlineData("lfm2", "bf16", 3e-2)]
    public void Logits_token_by_token_are_those_of_one_pass(string name, string recipe, double bound)
    {
        var golden = GoldenCase.OfFamily(name);
        int[] row = golden.Row(0)[..20], other = golden.Row(1)[..20];
        var plan = Plans(golden, Named(recipe), [row.Length, row.Length]).Last();
        using var device = Device.Open(plan.Schedule, plan.Workload, 1);
        var model = Load(golden, plan, device);
        var sequences = new[] { row, other }.Select(ids => (Ids: ids, Sequence: model.Open(ids.Length)!)).ToArray();
        var (once, apart) = (new List<float>(), new List<float>());
        foreach (var (ids, sequence) in sequences)
        {
            model.Continue([new Continuation(sequence, ids, ids.Length)], (_, _, logits) => once.AddRange(logits));
            sequence.Rewind(0);
        }

        for (int i = 0; i < row.Length; i++)
        {
            model.Continue(
                [.. sequences.Select(s => new Continuation(s.Sequence, s.Ids.AsMemory(i, 1), 1))],
                (_, _, logits) => apart.AddRange(logits));
        }

        // Token by token the two rows' logits come in turn.
        int width = golden.Model.VocabSize;
        float[] inTurn = [.. Enumerable.Range(0, row.Length).SelectMany(i => new[] { i, row.Length + i })
            .SelectMany(t => once.Skip(t * width).Take(width))];
        if (!Device.IsSlow && !ByBlocks(golden))
        {
            Assert.Equal(inTurn, apart);
        }

        double error = GoldenCase.RelativeL2([.. apart], inTurn);
        Assert.True(error <= bound, $"relative error {error:g3}");
    }

    /// <summary>
    /// A sequence's logits are, to the bit, those that it has alone, wherever in the cache it lies and whatever else is in its steps:
    /// longer than where kernels cut keys, and in chunks that are no multiple of that. Recurrences go by blocks of a step's tokens.
    /// </summary>
    [Theory]
    [InlineData("granite-hybrid", 50)]
    [InlineData("llama-bias", 50)]
    [InlineData("gemma2", 130)]
    public void Neighbours_change_nothing(string name, int chunk)
    {
        const int length = 230;
        var golden = GoldenCase.OfFamily(name);
        int[] ids = [.. Enumerable.Range(0, length).Select(i => (7 * i * i) % golden.Model.VocabSize)];
        var request = new PlanRequest(
            golden.Model, Recipe.Fp32, WorkloadKind.Generation, chunk, Rows: null, new GeometryPins(chunk), GoldenCase.Roomy)
        {
            Cache = new CacheRequest(4, length, 4),
        };
        var plan = GoldenCase.Plan(request);
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var model = Load(golden, plan, device);
        float[] alone = [];
        foreach (int before in new[] { 0, 1, 37, 101 })
        {
            var other = before == 0 ? null : model.Open(before);
            var sequence = model.Open(length)!;
            Continuation[] all =
            [
                .. other is null ? [] : new[] { new Continuation(other, ids.AsMemory(0, before), 0) },
                new Continuation(sequence, ids.AsMemory(0, length - 3), 1),
            ];
            var got = new List<float>();
            model.Continue(all, (_, _, logits) => got.AddRange(logits));
            for (int i = length - 3; i < length; i++)
            {
                model.Continue([new Continuation(sequence, ids.AsMemory(i, 1), 1)], (_, _, logits) => got.AddRange(logits));
            }

            alone = before == 0 ? [.. got] : alone;
            if (Device.IsSlow || ByBlocks(golden))
            {
                // Products of other sizes may be summed in another order on a GPU.
                Assert.True(GoldenCase.RelativeL2([.. got], alone) <= 1e-5);
            }
            else
            {
                Assert.Equal(alone, got);
            }

            model.Close(sequence);
            if (other is not null)
            {
                model.Close(other);
            }
        }
    }

    /// <summary>A prompt that is stopped leaves its sequence with the tokens of the steps that ran, and can be gone on with.</summary>
    [Theory]
    [InlineData("llama-bias")]
    [InlineData("qwen3.5")]
    public void What_was_stopped_can_be_gone_on_with(string name)
    {
        var golden = GoldenCase.OfFamily(name);
        int[] ids = [.. golden.Row(0), .. golden.Row(1)];
        int length = ids.Length;
        var plan = Plans(golden, Recipe.Fp32, [length]).Last();
        using var device = Device.Open(plan.Schedule, plan.Workload, 0);
        var model = Load(golden, plan, device);
        var whole = new List<float>();
        var sequence = model.Open(length)!;
        model.Continue([new Continuation(sequence, ids, 1)], (_, _, logits) => whole.AddRange(logits));
        model.Close(sequence);

        using var stop = new CancellationTokenSource();
        sequence = model.Open(length)!;
        Assert.Throws<OperationCanceledException>(
            () => model.Continue([new Continuation(sequence, ids, length)], (_, _, _) => stop.Cancel(), stop.Token));
        Assert.InRange(sequence.Count, 1, length - 1);
        var rest = new List<float>();
        model.Continue([new Continuation(sequence, ids.AsMemory(sequence.Count), 1)], (_, _, logits) => rest.AddRange(logits));
        if (Device.IsSlow || ByBlocks(golden))
        {
            Assert.True(GoldenCase.RelativeL2([.. rest], [.. whole]) <= 1e-5);
        }
        else
        {
            Assert.Equal(whole, rest);
        }
    }

    private static bool ByBlocks(GoldenCase golden) => golden.Model.Kinds.Any(k => k.Recurrence is not null);

    /// <summary>A roomy plan, and one whose device budget is the least that works.</summary>
    private static IEnumerable<TrainingPlan> Plans(GoldenCase golden, Recipe recipe, IEnumerable<int> lengths)
    {
        int[] all = [.. lengths];
        var cache = new CacheRequest(all.Length, all.Max(), all.Length);
        var request = new PlanRequest(
            golden.Model, recipe, WorkloadKind.Generation, Chunk, Rows: null, new GeometryPins(Chunk), GoldenCase.Roomy)
        {
            Cache = cache,
        };
        if (!Device.IsSlow)
        {
            yield return Whole(GoldenCase.Plan(request), golden.Model);
        }

        yield return Whole(GoldenCase.Tight(request), golden.Model);
    }

    private static TrainingPlan Whole(TrainingPlan plan, ModelConfig model)
    {
        Assert.Empty(Schedules.ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, model));
        return plan;
    }

    private static CachedModel Load(GoldenCase golden, TrainingPlan plan, Runtime.IDevice device)
    {
        using var checkpoint = Checkpoint.Open(golden.Folder);
        var model = new CachedModel(plan.Workload, plan.Schedule, device);
        model.Load(checkpoint.WeightsOf(golden.Model));
        return model;
    }

    private static int[][] Continue(CachedModel model, GoldenCase golden, int[][] prompts, int count)
    {
        var got = prompts.Select(_ => new List<int>()).ToArray();
        new Generator(model, golden.Model.VocabSize, SamplingSettings.Greedy).Run(
            [.. prompts.Select(p => new Prompt(p, count))],
            token =>
            {
                got[token.Prompt].Add(token.Id);
                return false;
            });
        return [.. got.Select(g => g.ToArray())];
    }

    private static int[] WithoutCache(CachedModel model, int[] prompt, int count)
    {
        var ids = prompt.ToList();
        for (int i = 0; i < count; i++)
        {
            var sequence = model.Open(ids.Count, prompt.Length + count)!;
            model.Continue([new Continuation(sequence, ids.ToArray(), 1)], (_, _, logits) => ids.Add(Best(logits)));
            model.Close(sequence);
        }

        return [.. ids.Skip(prompt.Length)];
    }

    private static int Best(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] ? i : best;
        }

        return best;
    }
}
