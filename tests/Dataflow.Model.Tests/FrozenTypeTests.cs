namespace Dataflow.Model.Tests;

/// <summary>Frozen layers whose matrices are stored in a type of their own.</summary>
public class FrozenTypeTests
{
    private const string File = """
        {"name": "stored", "vocab_size": 300, "model_dim": 64, "n_layers": 4, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "ffn_dim": 176,
         "rope_theta": 5e5, "rms_norm_eps": 1e-6, "qk_norm": true,
         "layers": [{"ffn_dim": 176, "frozen": true, "frozen_dtype": "bf16"}, {"ffn_dim": 176, "frozen": true}, {"ffn_dim": 176},
                    {"ffn_dim": 176, "ffn_apart": true, "frozen": true, "frozen_dtype": "bf16"}]}
        """;

    private static readonly ModelConfig Model = ModelConfigReader.Parse(File, "file");
    private static readonly Geometry Geometry = new(64, 1, 32, 2, 1, 16);
    private static readonly BlockPrograms Programs = new(Model, Recipe.Fp32, Geometry);

    private static LayerPrograms Stored => Programs[new Layer(0)];

    private static LayerPrograms Plain => Programs[new Layer(1)];

    private static Bytes Sum(LayerPrograms layer) =>
        Enumerable.Range(0, layer.Parts.Length).Aggregate(Bytes.Zero, (sum, p) => sum + layer.WeightsSize(p));

    [Fact]
    public void A_file_that_is_written_says_what_was_read()
    {
        Assert.Equal([DType.BFloat16, null, null, DType.BFloat16], Model.Kinds.Select(k => k.FrozenType));
        Assert.Equal(Model, ModelConfigReader.Parse(ModelConfigWriter.Own(Model), "file"));
    }

    [Fact]
    public void Matrices_take_half_the_bytes_and_norms_lie_apart_in_the_recipes_type()
    {
        Assert.Equal([DType.Float32, DType.BFloat16], Stored.Parts.Select(p => p.TypeIn(Recipe.Fp32)));
        Assert.All(Stored.Parts[0].Tensors, t => Assert.Equal(1, t.Rows));
        Assert.All(Stored.Parts[1].Tensors, t => Assert.True(t.Rows > 1));
        Assert.Equal(Sum(Plain).Value, Stored.WeightsSize(0).Value + (2 * Stored.WeightsSize(1).Value));
        Assert.Equal(4, Programs[new Layer(3)].Parts.Length);
        Assert.Equal(Sum(Stored), Sum(Programs[new Layer(3)]));
        Assert.Equal(Bytes.Zero, Stored.GradientsSize(0) + Stored.GradientsSize(1));
        long matrices = Stored.Parts[1].Tensors.Sum(t => t.Count), vectors = Stored.Parts[0].Tensors.Sum(t => t.Count);
        Assert.Equal((2 * ((2 * matrices) + (4 * vectors))) + (4 * (matrices + vectors)), Model.FrozenSize(Recipe.Fp32).Value);
    }

    /// <summary>Four blocks of 32 elements, with a scale of 4 bytes each, are 144 bytes.</summary>
    [Fact]
    public void Matrices_in_int8_take_nine_eighths_of_a_byte_an_element_in_every_recipe()
    {
        // Q|K|V, the projection behind attention, gate|up and down: each a multiple of 128 elements.
        const long Matrices = 64 * ((64 + 32 + 32) + 64 + (3 * 176)), Vectors = 64 + 64 + 16 + 16;
        var model = ModelConfigReader.Parse(File.Replace("\"bf16\"", "\"int8\"", StringComparison.Ordinal), "file");
        Assert.Equal(model, ModelConfigReader.Parse(ModelConfigWriter.Own(model), "file"));
        foreach (var recipe in Recipe.All)
        {
            var layer = new BlockPrograms(model, recipe, Geometry)[new Layer(0)];
            long size = recipe.Parameters.Size();
            Assert.Equal([recipe.Parameters, DType.Int8], layer.Parts.Select(p => p.TypeIn(recipe)));
            Assert.Equal(Matrices * 9 / 8, layer.WeightsSize(1).Value);
            Assert.Equal(
                (2 * ((Matrices * 9 / 8) + (size * Vectors))) + (size * (Matrices + Vectors)),
                model.FrozenSize(recipe).Value);
            foreach (var (operand, place) in layer.Forward(SaveSet.All).Places.Where(p => p.Value.Type == DType.Int8))
            {
                // 16 bytes are read at a time.
                Assert.Equal(0, place.Offset.Value % 16);
                Assert.Equal(place.Rows * place.Columns * 9 / 8, place.Size.Value);
                Assert.Equal(recipe.Parameters, layer.Forward(SaveSet.All).Places[Operand.Dense(operand.Weight)].Type);
            }
        }
    }

    [Fact]
    public void Matrices_that_are_no_whole_blocks_are_refused()
    {
        string cut = File.Replace("\"bf16\"", "\"int8\"", StringComparison.Ordinal)
            .Replace("\"model_dim\": 64", "\"model_dim\": 36", StringComparison.Ordinal)
            .Replace("176", "175", StringComparison.Ordinal);
        Assert.EndsWith(
            "layers has a layer with frozen_dtype int8, in which 32 elements of a matrix share a scale, and a matrix of 175 x 36 elements, "
                + "which is no multiple of that: leave its frozen_dtype out",
            Assert.Throws<UserErrorException>(() => ModelConfigReader.Parse(cut, "file")).Message.Split("; ")[^1],
            StringComparison.Ordinal);

        // A block may go on in the next row: 6,336 elements are 198 blocks, in 50 groups of four. What no file says is refused, too.
        var model = ModelConfigReader.Parse(cut.Replace("175", "176", StringComparison.Ordinal), "file");
        Assert.Equal(50 * 144, DType.Int8.SizeOf(176 * 36).Value);
        Assert.Throws<InvalidOperationException>(() => ParameterLayout.Block(model, model.Kinds.First() with { FfnDim = 175 }).Parts());
    }

    [Fact]
    public void Every_product_with_a_stored_matrix_takes_a_dense_copy_made_just_before_it()
    {
        foreach (var saved in new[] { SaveSet.None, SaveSet.Kv | SaveSet.Attention, SaveSet.All })
        {
            BlockProgram[] stored = [.. All(Stored, saved)], plain = [.. All(Plain, saved)];
            for (int p = 0; p < stored.Length; p++)
            {
                var calls = stored[p].Calls;
                foreach (var (i, made) in calls.Index().Where(c => c.Item is DequantizeCall))
                {
                    var (call, product) = ((DequantizeCall)made, calls[i + 1]);
                    Assert.Equal(TensorName.Weight, call.Stored.Tensor);
                    Assert.Contains(call.Dense, product.Reads);
                    var (from, to) = (stored[p].Places[call.Stored], stored[p].Places[call.Dense]);
                    Assert.Equal((DType.BFloat16, DType.Float32, Roles.Scratch), (from.Type, to.Type, to.Role));
                    Assert.Equal((from.Rows, from.Columns), (to.Rows, to.Columns));
                    Assert.True(to.Offset + to.Size <= stored[p].ScratchLength);
                }

                Assert.Equal(plain[p].Calls.Select(c => c.Kernel), calls.Where(c => c is not DequantizeCall).Select(c => c.Kernel));
                Assert.Equal(
                    plain[p].Calls.Count(c => c is GemmForwardCall or GemmInputGradientCall),
                    calls.Count(c => c is DequantizeCall));
                Assert.DoesNotContain(
                    calls.Where(c => c.Kernel is Kernel.GemmForward or Kernel.GemmInputGradient).SelectMany(c => c.Operands),
                    o => o.Tensor == TensorName.Weight);
            }
        }
    }

    [Fact]
    public void Scratch_has_room_for_one_copy_at_a_time()
    {
        var copies = Stored.Forward(SaveSet.None).Places.Where(p => p.Key.Tensor == TensorName.DenseWeight).Select(p => p.Value).ToList();
        Assert.Equal(4, copies.Count);
        Assert.Single(copies.Select(c => c.Offset).Distinct());
        var more = Stored.Forward(SaveSet.None).ScratchLength - Plain.Forward(SaveSet.None).ScratchLength;
        Assert.True(more <= copies.Select(c => c.Size).Aggregate(Bytes.Max).Aligned, $"{more} more");
    }

    /// <summary>The recipe's type is the stored one.</summary>
    [Fact]
    public void In_bf16_nothing_is_made_dense()
    {
        var programs = new BlockPrograms(Model, Recipe.Bf16, Geometry);
        Assert.All(
            All(programs[new Layer(0)], SaveSet.None),
            p => Assert.DoesNotContain(p.Calls, c => c is DequantizeCall));
    }

    private static IEnumerable<BlockProgram> All(LayerPrograms layer, SaveSet saved)
    {
        yield return layer.Forward(saved);
        yield return layer.Recompute(saved);
        yield return layer.RecomputeKv();
        yield return layer.Backward(saved);
        if (LayerPrograms.MayStream(saved))
        {
            yield return layer.Project(saved);
            yield return layer.Combine(saved);
            yield return layer.StreamedRecompute(saved);
            yield return layer.CombineBackward(saved);
            yield return layer.ProjectBackward(saved);
        }
    }
}
