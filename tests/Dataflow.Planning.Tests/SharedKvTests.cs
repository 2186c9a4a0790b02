using Dataflow.Model;
using Dataflow.Schedules;
using Dataflow.Simulation;

namespace Dataflow.Planning.Tests;

/// <summary>Plans of models some of whose layers read the keys and values of others.</summary>
public class SharedKvTests
{
    private static readonly LayerKind s_own = new(24);
    private static readonly LayerKind s_windowed = new(32, Window: 11);
    private static readonly LayerKind s_shares = new(32) { SharesKv = true };
    private static readonly LayerKind s_sharesWindowed = new(16, Window: 7, FfnApart: true) { SharesKv = true };

    // Layers 1 to 3 share those of layer 1, and 4 to 6 of layer 4; nobody shares those of layer 0.
    private static readonly ModelConfig s_model = new()
    {
        Name = "shared", VocabSize = 64, ModelDim = 16, LayerCount = 7, HeadCount = 4, KvHeadCount = 2, HeadDim = 8, FfnDim = 32,
        RopeTheta = 10000, RmsNormEps = 1e-5f, QkNorm = true,
        Pattern = new LayerPattern([s_own, s_windowed, s_sharesWindowed, s_shares, s_own, s_shares, s_shares]),
    };

    /// <summary>A model of 4 to 7 layers, some of which share; all else as it was.</summary>
    internal static ModelConfig Sharing(int seed, ModelConfig model)
    {
        var random = new Random(seed);
        int layers = random.Next(4, 8);
        LayerKind[] kinds = [.. Enumerable.Range(0, random.Next(2, layers + 1)).Select(i => new LayerKind(
            i == 1 ? model.FfnDim : random.Next(1, model.FfnDim + 1), random.Next(3) == 0 ? random.Next(1, 50) : null,
            FfnApart: random.Next(4) == 0)
        {
            SharesKv = i == 1 || (i > 1 && random.Next(3) > 0),
        })];
        model = model with { Frozen = null, LayerInputDim = 0, LayerCount = layers, Pattern = new LayerPattern([.. kinds]) };
        return random.Next(3) == 0 ? model.Freezing([$"model.layers.[0-{random.Next(layers - 1)}].*", "*embed*"]) : model;
    }

    /// <summary>The last layers share with the last below of their own window: two windows are wanted at once.</summary>
    internal static ModelConfig SharingByWindow(int seed, ModelConfig model)
    {
        var random = new Random(seed);
        int layers = random.Next(4, 9), own = random.Next(2, layers);
        LayerKind[] kinds = [.. Enumerable.Range(0, layers).Select(l => new LayerKind(
            l == 0 ? model.FfnDim : random.Next(1, model.FfnDim + 1), l < 2 ? l == 0 ? 9 : null : random.Next(2) == 0 ? 9 : null)
        {
            SharesKv = l >= own,
            SharesByWindow = l >= own,
        })];
        model = model with { Frozen = null, LayerInputDim = 0, LayerCount = layers, Pattern = new LayerPattern([.. kinds]) };
        model = random.Next(3) == 0 ? model.Freezing([$"model.layers.[0-{random.Next(layers - 1)}].*", "*embed*"]) : model;

        // Half of them take inputs besides the stream, all of which are trained with the embedding.
        return random.Next(2) == 0 || model.Frozen is not null ? model : model with { LayerInputDim = 4 };
    }

    private static LayerKind OfOneSublayer(LayerKind kind, int which) =>
        which switch
        {
            0 => kind with { Sublayers = Sublayers.Mixer, FfnDim = 0, FfnApart = false },
            1 => kind with { Sublayers = Sublayers.FeedForward, ConvolutionTaps = null, Recurrence = null },
            _ => kind,
        };

    /// <summary>The same with states that pass from chunk to chunk in some layers, in place of sharing; layers of one sublayer.</summary>
    internal static ModelConfig WithStates(int seed, ModelConfig model)
    {
        var random = new Random(seed);
        int layers = random.Next(2, 8);
        LayerKind[] kinds = [.. Enumerable.Range(0, random.Next(1, layers + 1)).Select(i => new LayerKind(
            i == 0 ? model.FfnDim : random.Next(1, model.FfnDim + 1), FfnApart: random.Next(4) == 0)
        {
            ConvolutionTaps = i == 0 || random.Next(2) == 0 ? random.Next(2, 17) : null,
        })];
        if (random.Next(2) == 0)
        {
            int heads = 2 * random.Next(1, 4), keys = random.Next(2, 40), values = random.Next(2, 40);
            var recurrence = new Recurrence(KeyHeads: 2, heads, keys, values, Taps: random.Next(2, 6));
            kinds =
            [
                .. kinds.Select(k => k.Attends || random.Next(2) == 0 ? k : k with { ConvolutionTaps = null, Recurrence = recurrence }),
            ];
        }

        if (seed % 3 == 0)
        {
            // The first one keeps the widest feed-forward, and a state.
            kinds = [.. kinds.Select((k, i) => i == 0 ? k : OfOneSublayer(k, (seed + i) % 3))];
        }

        model = model with { Frozen = null, LayerInputDim = 0, LayerCount = layers, Pattern = new LayerPattern([.. kinds]) };
        return random.Next(3) == 0 ? model.Freezing([$"model.layers.[0-{random.Next(layers - 1)}].*", "*embed*"]) : model;
    }

    /// <summary>What is drawn of layers.</summary>
    public enum Drawn
    {
        Shared,
        SharedByWindow,
        States,
    }

    private static ModelConfig Changed(Drawn what, int seed, ModelConfig model) => what switch
    {
        Drawn.States => WithStates(seed, model),
        Drawn.SharedByWindow => SharingByWindow(seed, model),
        _ => Sharing(seed, model),
    };

    [Fact]
    public void Windows_of_two_kinds_are_wanted_at_once_and_their_gradients_have_homes_of_their_own()
    {
        LayerKind local = new(32, Window: 9), full = new(32);
        LayerKind sharesLocal = local with { SharesKv = true, SharesByWindow = true };
        LayerKind sharesFull = full with { SharesKv = true, SharesByWindow = true };
        var model = s_model with { Pattern = new LayerPattern([full, local, full, local, sharesFull, sharesLocal, sharesFull]) };
        Assert.Equal([0, 1, 2, 3, 2, 3, 2], model.Layers.Select(l => model.KvSourceOf(l).Index));
        var geometry = new Geometry(Seqlen: 24, 1, ChunkTokens: 8, 3, Rounds: 1, HeadTokens: 8);
        var workload = new Workload(model, Recipe.Fp32, geometry, WorkloadKind.Training);
        var sizes = new MemorySizes(workload, new BlockPrograms(model, workload.Recipe, geometry));
        Assert.Equal(2, sizes.WindowsAtOnce);
        Assert.Equal([0, 0, 0, 1], model.Layers.Take(4).Select(sizes.TurnOfWindow));
        var plan = Planner.PlanFor(workload, new ResidencyChain(sizes, SaveSet.None, Tier.Doubled)[0]);
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, model));
        Assert.Equal([6], UsesOf(plan, "dKV/L02/G0/R0", AccessMode.Write));
        Assert.Equal([6, 6, 4, 4, 4, 2, 2, 2], UsesOf(plan, "dKV/L02/G0/R0", AccessMode.ReadWrite));
        Assert.Equal([5, 5, 3, 3, 3], UsesOf(plan, "dKV/L03/G0/R0", AccessMode.ReadWrite));
    }

    [Fact]
    public void A_window_lives_from_its_layers_forward_to_its_layers_backward_and_has_one_gradient()
    {
        var plan = Plan(SaveSet.None, chunks: 3, rows: 1);
        var names = plan.Schedule.Objects.Select(o => o.Name).ToHashSet();
        Assert.Equal(
            ["KV/L00/G0/R0", "KV/L01/G0/R0", "KV/L04/G0/R0", "KVr/L00/G0/R0"],
            names.Where(n => n.StartsWith("KV", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            ["dKV/L00/G0/R0", "dKV/L01/G0/R0", "dKV/L04/G0/R0"],
            names.Where(n => n.StartsWith("dKV", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
        );
        // Forward by each of its three chunks, layer by layer; back likewise. The first chunk of the source finds nothing to read.
        Assert.Equal([1, 1, 2, 2, 2, 3, 3, 3, 3, 3, 3, 2, 2, 2, 1, 1, 1], UsesOf(plan, "KV/L01/G0/R0", AccessMode.Read));
        Assert.Equal([1, 1, 1], UsesOf(plan, "KV/L01/G0/R0", AccessMode.Write));

        // The last layer to read begins the gradient, at the group's last chunk; all others add to it, down to the source.
        Assert.Equal([6], UsesOf(plan, "dKV/L04/G0/R0", AccessMode.Write));
        Assert.Equal([6, 6, 5, 5, 5, 4, 4, 4], UsesOf(plan, "dKV/L04/G0/R0", AccessMode.ReadWrite));
    }

    [Theory]
    [InlineData(SaveSet.None)]
    [InlineData(SaveSet.Attention)]
    [InlineData(SaveSet.All)]
    public void What_layers_share_is_kept_whatever_else_is(SaveSet saved)
    {
        var plan = Plan(saved, chunks: 1, rows: 3);
        Assert.All(
            plan.Schedule.Ops.Where(o => o.Kind == OpKind.Forward),
            o => Assert.Equal(o.Layer!.Value.Index == 0 ? saved : saved | SaveSet.Kv, o.Saved)
        );
    }

    [Fact]
    public void A_layer_that_shares_has_no_weights_of_keys_and_values()
    {
        string[] tensors = [.. NamedParameter.All(s_model).Select(p => p.Name)];
        for (int l = 0; l < s_model.LayerCount; l++)
        {
            bool shares = l is 2 or 3 or 5 or 6;
            foreach (string name in new[] { "k_proj", "v_proj", "k_norm" })
            {
                Assert.Equal(!shares, tensors.Contains($"model.layers.{l}.self_attn.{name}.weight"));
            }

            Assert.Contains($"model.layers.{l}.self_attn.q_proj.weight", tensors);
            Assert.Contains($"model.layers.{l}.self_attn.q_norm.weight", tensors);
        }
    }

    [Fact]
    public void A_backward_reaches_down_to_the_layer_whose_keys_the_lowest_trained_layer_reads()
    {
        Assert.Equal(1, s_model.Freezing(["model.layers.[0-2].*", "*embed*"]).LayersWithoutBackward);
        Assert.Equal(4, s_model.Freezing(["model.layers.[0-3].*", "*embed*"]).LayersWithoutBackward);
    }

    [Fact]
    public void Segments_of_shared_windows_are_refused()
    {
        var (workload, programs) = Workload(chunks: 4, rows: 1);
        Assert.Empty(SegmentRule.Counts(workload, SaveSet.All, keyRows: 1));
        var residency = new ResidencyChain(new MemorySizes(workload, programs), SaveSet.All, Tier.Doubled, segments: 2)[0];
        Assert.Throws<ArgumentException>(() => Planner.PlanFor(workload, residency));
    }

    /// <summary>What lowering could get wrong of shared windows, carried on to a whole schedule: the verifier says no to each.</summary>
    [Fact]
    public void Faults_of_lowering_are_found()
    {
        var (workload, programs) = Workload(chunks: 3, rows: 1);
        var residency = new ResidencyChain(new MemorySizes(workload, programs), SaveSet.Attention, Tier.Doubled)[0];
        var facts = Planner.PlanFor(workload, residency).Schedule.Facts;
        var program = StepLowering.Lower(workload, programs, residency);
        IReadOnlyList<ScheduleError> Verify(StepProgram of) => ScheduleVerifier.Verify(
            WaitInference.Infer(SlotAssignment.Assign(of, Tenancy.Settle(of), facts)), null, workload.Model);
        int Named(string name) => program.Objects.Select(o => o.Name).ToList().IndexOf(name);
        int At(OpKind kind, int layer, int chunk) => program.Ops.ToList().FindIndex(
            o => o.Kind == kind && o.Layer == new Layer(layer) && o.Chunk == new Chunk(chunk));
        StepProgram Changed(OpKind kind, int layer, int chunk, string role, Func<Use, Use?> change)
        {
            int at = At(kind, layer, chunk);
            var uses = program.Ops[at].Uses.Select(u => u.Role == role ? change(u) : u).OfType<Use>();
            return program with { Ops = program.Ops.SetItem(at, program.Ops[at] with { Uses = [.. uses] }) };
        }

        StepProgram Swapped(int one, int other) =>
            program with { Ops = program.Ops.SetItem(one, program.Ops[other]).SetItem(other, program.Ops[one]) };
        Assert.Empty(Verify(program));

        // A layer reads another window than its source's, not all that it attends to, or none.
        int wrong = Named("KV/L04/G0/R0"), first = Named("KV/L01/G0/R0");
        Assert.NotEmpty(Verify(Changed(OpKind.Forward, 5, 1, Roles.Kv, u => u with { Object = first })));
        Assert.NotEmpty(Verify(Changed(OpKind.Backward, 3, 2, Roles.Kv, u => u with { Object = wrong })));
        Assert.NotEmpty(Verify(Changed(OpKind.Forward, 2, 2, Roles.Kv, u => u with { Length = new Bytes(u.Length.Value / 3) })));
        Assert.NotEmpty(Verify(Changed(OpKind.Backward, 2, 2, Roles.Kv, u => null)));

        // A gradient begins anew where it is to be added, goes elsewhere or nowhere, or is added to bytes that nobody has begun.
        int elsewhere = Named("dKV/L00/G0/R0");
        foreach (int layer in new[] { 3, 2, 1 })
        {
            foreach (int chunk in new[] { 2, 0 })
            {
                var begun = layer == 3 && chunk == 2 ? AccessMode.ReadWrite : AccessMode.Write;
                Assert.NotEmpty(Verify(Changed(OpKind.Backward, layer, chunk, Roles.GradKv, u => u with { Mode = begun })));
                Assert.NotEmpty(Verify(Changed(OpKind.Backward, layer, chunk, Roles.GradKv, u => u with { Mode = AccessMode.Read })));
                Assert.NotEmpty(Verify(Changed(OpKind.Backward, layer, chunk, Roles.GradKv, u => u with { Object = elsewhere })));
                Assert.NotEmpty(Verify(Changed(OpKind.Backward, layer, chunk, Roles.GradKv, u => null)));
            }
        }

        // Two parts of a sum change places: of two layers, of two chunks; a source does not wait for the last of its readers.
        Assert.NotEmpty(Verify(Swapped(At(OpKind.Backward, 3, 0), At(OpKind.Backward, 2, 2))));
        Assert.NotEmpty(Verify(Swapped(At(OpKind.Backward, 2, 1), At(OpKind.Backward, 2, 0))));
        Assert.NotEmpty(Verify(Swapped(At(OpKind.Backward, 2, 0), At(OpKind.Backward, 1, 2))));

        // It is the sum itself whose order is watched, not alone what else these ops do.
        var swapped = Swapped(At(OpKind.Backward, 3, 1), At(OpKind.Backward, 3, 0));
        Assert.Contains(Verify(swapped), e => e.ToString()!.Contains("dKV/L01/G0/R0", StringComparison.Ordinal));

        // The source drops what its readers want back.
        int source = At(OpKind.Forward, 1, 0);
        Assert.NotEmpty(Verify(program with
        {
            Ops = program.Ops.SetItem(source, program.Ops[source] with { Saved = program.Ops[source].Saved & ~SaveSet.Kv }),
        }));
    }

    /// <summary>Whatever the residency: proved, within its footprint, and with room for an evaluation between two steps.</summary>
    [Theory]
    [InlineData(Drawn.Shared, 150)]
    [InlineData(Drawn.SharedByWindow, 100)]
    [InlineData(Drawn.States, 100)]
    [Trait("Slow", "true")]
    public void Any_residency_is_planned_and_proved(Drawn what, int seeds)
    {
        int done = 0, interleaved = 0, evaluated = 0;
        for (int seed = 0; done < seeds; seed++)
        {
            if (RandomResidencies.Make(seed, m => Changed(what, seed, m)) is not var (workload, programs, residency))
            {
                continue;
            }

            var want = Footprint.Of(workload, programs, residency);
            var plan = Planner.PlanFor(workload, residency);
            Assert.Equal(want.Device, plan.DevicePeak);
            Assert.True(plan.HostPeak <= want.Host, $"seed {seed}: host {plan.HostPeak} above {want.Host}: {residency}");
            Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, workload.Model));
            done++;
            interleaved += residency.Interleaved && workload.Geometry.Rounds > 1 ? 1 : 0;
            if (workload.Kind.Updates())
            {
                var evaluation = Planner.Evaluation(plan);
                Assert.Empty(ScheduleVerifier.Verify(evaluation, plan.ArenaBudgets, workload.Model));
                evaluated++;
            }
        }

        Assert.True(interleaved > seeds / 15, $"{interleaved} with rounds that interleave");
        Assert.True(evaluated > seeds / 4, $"{evaluated} with an evaluation");
    }

    [Theory]
    [InlineData(Drawn.Shared)]
    [InlineData(Drawn.SharedByWindow)]
    [InlineData(Drawn.States)]
    [Trait("Slow", "true")]
    public void From_the_least_budgets_on_every_chain_is_planned_and_proved(Drawn what)
    {
        int plans = 0;
        for (int seed = 0; seed < 60; seed++)
        {
            var request = RandomRequests.Make(seed);
            request = request with { Model = Changed(what, seed, request.Model) };
            IReadOnlyList<Geometry> all;
            try
            {
                all = GeometryRule.Candidates(request);
            }
            catch (UserErrorException)
            {
                continue;
            }

            var random = new Random(seed);
            var workload = request.In(all[random.Next(all.Count)]);
            var sizes = new MemorySizes(workload, new BlockPrograms(workload.Model, workload.Recipe, workload.Geometry));
            foreach (var tier in Enum.GetValues<Tier>())
            {
                var chain = new ResidencyChain(sizes, (SaveSet)random.Next((int)SaveSet.All + 1), tier);
                for (int i = 1; i < chain.Count; i++)
                {
                    var (before, after) = (chain.FootprintAt(i - 1), chain.FootprintAt(i));
                    Assert.True(
                        before.Device <= after.Device && before.Host >= after.Host, $"seed {seed}, place {i}: {before} then {after}");
                }

                foreach (int i in new[] { 0, random.Next(chain.Count), chain.Count - 1 })
                {
                    var plan = Planner.PlanFor(workload, chain[i]);
                    Assert.Equal(chain.FootprintAt(i).Device, plan.DevicePeak);
                    Assert.True(plan.HostPeak <= chain.FootprintAt(i).Host);
                    Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, workload.Model));
                    plans++;
                }
            }
        }

        Assert.True(plans > 300, $"{plans} plans");
    }

    private static (Workload Workload, BlockPrograms Programs) Workload(int chunks, int rows)
    {
        var geometry = new Geometry(Seqlen: 8 * chunks, rows, ChunkTokens: 8, chunks * rows, Rounds: 1, HeadTokens: 8);
        var workload = new Workload(s_model, Recipe.Fp32, geometry, WorkloadKind.Training);
        return (workload, new BlockPrograms(workload.Model, workload.Recipe, geometry));
    }

    private static TrainingPlan Plan(SaveSet saved, int chunks, int rows)
    {
        var (workload, programs) = Workload(chunks, rows);
        var plan = Planner.PlanFor(workload, new ResidencyChain(new MemorySizes(workload, programs), saved, Tier.Doubled)[0]);
        Assert.Empty(ScheduleVerifier.Verify(plan.Schedule, plan.ArenaBudgets, workload.Model));
        return plan;
    }

    /// <summary>Layers of the ops that access an object so, those that repeat a forward's work apart, in their order.</summary>
    private static IEnumerable<int> UsesOf(TrainingPlan plan, string name, AccessMode mode) =>
        from op in plan.Schedule.Ops
        where op.Kind is OpKind.Forward or OpKind.Backward
        from access in op.Accesses
        where plan.Schedule.Objects[access.Object].Name == name && access.Mode == mode
        select op.Layer!.Value.Index;
}
