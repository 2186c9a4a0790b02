using System.Collections.Immutable;

namespace Dataflow.Model.Tests;

/// <summary>Every kernel of the catalog has a class and a work that follows from its operands' shapes.</summary>
public class KernelWorkTests
{
    private static readonly ModelConfig Model = ModelConfigReader.Parse(Repository.Read("models", "micro.json"), "micro");

    // Rows of 96 tokens in chunks of 64, so that documents cross borders; sub-chunks of the head; two blocks of the vocabulary.
    private static readonly Geometry Uncut = new(Seqlen: 32, Rows: 8, ChunkTokens: 64, ChunksPerRound: 2, Rounds: 2, HeadTokens: 16);
    private static readonly Geometry Cut = new(
        Seqlen: 256,
        Rows: 2,
        ChunkTokens: 64,
        ChunksPerRound: 4,
        Rounds: 2,
        HeadTokens: 16,
        VocabularyBlocks: 2
    );

    private static IEnumerable<(BlockProgram Program, Geometry Geometry, Segment? Segment)> Programs()
    {
        // A frozen layer whose matrices are stored in a type of their own.
        foreach (var type in DTypes.OfBase)
        {
            var frozen = Model with { Pattern = new LayerPattern(new LayerKind(Model.FfnDim, Frozen: true, FrozenType: type)) };
            yield return (new BlockPrograms(frozen, Recipe.Fp32, Uncut).Kinds[0].Forward(SaveSet.All), Uncut, null);
        }

        // A mixture with an expert that every token has.
        var experts = new ExpertMixture(8, 2, 32) { GatesShared = true };
        var mixture = Model with { BalanceWeight = 0.01, Pattern = new LayerPattern(new LayerKind(Model.FfnDim) { Experts = experts }) };
        yield return (new BlockPrograms(mixture, Recipe.Bf16, Uncut).Head(), Uncut, null);
        var ofMixture = new BlockPrograms(mixture, Recipe.Bf16, Uncut).Kinds[0];
        yield return (ofMixture.Forward(SaveSet.All), Uncut, null);
        yield return (ofMixture.Backward(SaveSet.All), Uncut, null);

        var continued = new Geometry(1, 64, 64, 1, 1, 8) { Cache = new CacheShape(256, 8) };
        var ofContinued = new BlockPrograms(Model, Recipe.Bf16, continued);
        yield return (ofContinued.Kinds[0].Forward(SaveSet.None), continued, null);
        yield return (ofContinued.Logits(null), continued, null);
        var pairs = Uncut with { Pairs = true };
        var ofPairs = new BlockPrograms(Model, Recipe.Bf16, pairs);
        yield return (ofPairs.HeadLoss(new VocabularyBlock(0)), pairs, null);
        yield return (ofPairs.HeadBackward(new VocabularyBlock(0)), pairs, null);
        foreach (var geometry in new[] { Uncut, Cut })
        {
            var programs = new BlockPrograms(Model, Recipe.Bf16, geometry);
            const SaveSet saved = SaveSet.Kv | SaveSet.Attention;
            var (segment, block) = (new Segment(0, 2), new VocabularyBlock(0));
            BlockProgram[] all =
            [
                programs.Kinds[0].Forward(saved),
                programs.Kinds[0].Recompute(saved),
                programs.Kinds[0].Backward(saved),
                programs.Embed(block),
                programs.EmbedBackward(block),
                .. geometry == Cut
                    ?
                    [
                        programs.HeadLoss(block),
                        programs.HeadLoss(programs.Vocabulary.Last),
                        programs.HeadBackward(block),
                        programs.Kinds[0].Project(saved),
                        programs.Kinds[0].Attend(saved),
                        programs.Kinds[0].Combine(saved),
                        programs.Kinds[0].CombineBackward(saved),
                        programs.Kinds[0].AttendBackward(saved),
                        programs.Kinds[0].ProjectBackward(saved),
                        programs.Kinds[0].RecomputeKv(),
                    ]
                    : new[] { programs.Head() },
            ];
            foreach (var program in all)
            {
                yield return (program, geometry, geometry == Cut ? segment : null);
            }
        }
    }

    [Fact]
    public void Every_kernel_has_a_class() => Assert.All(Enum.GetValues<Kernel>(), k => Assert.True(Enum.IsDefined(KernelWork.ClassOf(k))));

    [Fact]
    public void Every_kernel_of_every_program_has_work_of_its_class()
    {
        var seen = new HashSet<Kernel>();
        foreach (var (program, geometry, segment) in Programs())
        {
            foreach (var call in program.Calls)
            {
                bool segmented = call.Kernel is Kernel.AttentionSegmentForward or Kernel.AttentionSegmentBackward;
                var work = KernelWork.Of(call, program, Model, geometry, new Chunk(1), segmented ? segment : null);
                seen.Add(call.Kernel);
                Assert.Equal(KernelWork.ClassOf(call.Kernel), work.Class);
                Assert.True((work.Class == KernelClass.Memory ? work.Bytes : work.Flops) > 0, $"{call.Kernel} does nothing");
                Assert.True(work is { Rows: > 0, Columns: > 0, Depth: > 0 }, $"{call.Kernel} has no shape");
            }
        }

        // Updates, norms of gradients and zeroing are ops of one kernel without a program; of this model no product has a bias, all norms
        // are by root mean square, all activations gated, all layers attend, without sinks, to keys that are not latent, no output is gated
        // or scaled, and there is no adapter.
        Kernel[] others =
        [
            Kernel.Update,
            Kernel.AdamW8Bit,
            Kernel.SquaredSum,
            Kernel.MuonMomentum,
            Kernel.MuonNormalize,
            Kernel.MuonApply,
            Kernel.Zero,
            Kernel.ColumnSum,
            Kernel.GroupedBiasForward,
            Kernel.GroupedBiasBackward,
            Kernel.AttentionSinkForward,
            Kernel.AttentionSinkBackward,
            Kernel.LayerNormForward,
            Kernel.LayerNormBackward,
            Kernel.UngatedActivationForward,
            Kernel.UngatedActivationBackward,
            Kernel.GatedConvolutionForward,
            Kernel.GatedConvolutionBackward,
            Kernel.CausalConvolutionForward,
            Kernel.CausalConvolutionBackward,
            Kernel.LinearRecurrenceForward,
            Kernel.LinearRecurrenceBackward,
            Kernel.GatedNormForward,
            Kernel.GatedNormBackward,
            Kernel.OutputGateForward,
            Kernel.OutputGateBackward,
            Kernel.JoinHeads,
            Kernel.SplitHeads,
            Kernel.ResizeHeads,
            Kernel.Scale,
            Kernel.InputGateForward,
            Kernel.InputGateBackward,
            Kernel.ExpertScaleForward,
            Kernel.ExpertScaleBackward,
            Kernel.DoraScales,
            Kernel.DoraForward,
            Kernel.DoraBackward,
            Kernel.Dropout,
        ];
        Assert.Equal(Enum.GetValues<Kernel>().Except(others).Order(), seen.Order());
    }

    [Fact]
    public void A_biass_gradient_reads_its_matrix_and_updates_its_row()
    {
        var call = new ColumnSumCall { A = TensorName.GradQkv, C = Operand.G(WeightName.Qkv) };
        var places = new Dictionary<Operand, TensorPlace>
        {
            [call.A] = new("", Bytes.Zero, DType.BFloat16, 100, 24),
            [call.C] = new("", Bytes.Zero, DType.Float32, 1, 24),
        };
        var program = new BlockProgram([call], places.ToImmutableDictionary(), Bytes.Zero);
        Assert.Equal(KernelWork.Memory((2 * 100 * 24) + (2 * 4 * 24)), KernelWork.Of(call, program, Model, Uncut, new Chunk(0)));
    }

    [Fact]
    public void A_layers_products_are_six_times_its_parameters_a_token()
    {
        var programs = new BlockPrograms(Model, Recipe.Bf16, Uncut);
        double Flops(BlockProgram p) =>
            p.Calls.Select(c => KernelWork.Of(c, p, Model, Uncut, new Chunk(0))).Where(w => w.Class == KernelClass.Gemm).Sum(w => w.Flops);
        double matrices = programs.Kinds[0].Parts[0].Tensors.Where(t => t.Rows > 1).Sum(t => (double)t.Rows * t.Columns);
        Assert.Equal(2 * Uncut.ChunkTokens * matrices, Flops(programs.Kinds[0].Forward(SaveSet.All)));
        Assert.Equal(4 * Uncut.ChunkTokens * matrices, Flops(programs.Kinds[0].Backward(SaveSet.All)));
    }

    [Fact]
    public void Attention_counts_the_pairs_that_are_seen()
    {
        var programs = new BlockPrograms(Model, Recipe.Bf16, Cut);
        KernelWork Attention(BlockProgram p, Kernel kernel, int chunk, Segment? s = null) =>
            KernelWork.Of(p.Calls.Single(c => c.Kernel == kernel), p, Model, Cut, new Chunk(chunk), s);

        // The second chunk of a row: its 64 queries see 65 to 128 keys, 64 * 96.5 pairs.
        var forward = Attention(programs.Kinds[0].Forward(SaveSet.All), Kernel.AttentionForward, 1);
        Assert.Equal(4 * 64 * 96.5 * Model.QueryDim, forward.Flops);
        Assert.Equal((64, 96.5, Model.HeadDim), (forward.Rows, forward.Columns, forward.Depth));
        Assert.Equal(2.5, Attention(programs.Kinds[0].Backward(SaveSet.All), Kernel.AttentionBackward, 1).Flops / forward.Flops);

        // The fourth chunk and segments of two chunks: all of the first segment's 128 keys, and 65 to 128 of the second's.
        const SaveSet saved = SaveSet.Kv | SaveSet.Attention;
        Assert.Equal(
            4.0 * 64 * 128 * Model.QueryDim,
            Attention(programs.Kinds[0].Attend(saved), Kernel.AttentionSegmentForward, 3, new Segment(0, 2)).Flops
        );
        Assert.Equal(
            4.0 * 64 * 96.5 * Model.QueryDim,
            Attention(programs.Kinds[0].Attend(saved), Kernel.AttentionSegmentForward, 3, new Segment(1, 2)).Flops
        );
    }

    [Fact]
    public void A_heads_sub_chunk_moves_its_own_tokens_only()
    {
        // x of 16 tokens, the norm's weight, the norm and a reciprocal root each.
        var head = new BlockPrograms(Model, Recipe.Bf16, Uncut).Head();
        var norm = KernelWork.Of(head.Calls[0], head, Model, Uncut, new Chunk(0));
        Assert.Equal((16 * Model.ModelDim * 2) + (Model.ModelDim * 2) + (16 * Model.ModelDim * 2) + (16 * 4), norm.Bytes);
    }
}
