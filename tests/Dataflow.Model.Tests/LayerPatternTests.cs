namespace Dataflow.Model.Tests;

/// <summary>Models whose layers differ: what their file says, what they count, and what each layer computes.</summary>
public class LayerPatternTests
{
    private const string File = """
        {"name": "mixed", "vocab_size": 300, "model_dim": 64, "n_layers": 5, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "ffn_dim": 176,
         "rope_theta": 5e5, "rms_norm_eps": 1e-6, "layers": [{"ffn_dim": 96, "window": 24}, {"ffn_dim": 176}]}
        """;

    private static readonly ModelConfig Mixed = ModelConfigReader.Parse(File, "file");

    private static string Fault(string layers, string ffnDim = "176") =>
        Assert.Throws<UserErrorException>(() => ModelConfigReader.Parse(
            File.Replace("[{\"ffn_dim\": 96, \"window\": 24}, {\"ffn_dim\": 176}]", layers, StringComparison.Ordinal)
                .Replace("\"ffn_dim\": 176,", $"\"ffn_dim\": {ffnDim},", StringComparison.Ordinal),
            "m")).Message;

    [Fact]
    public void The_kinds_repeat_from_the_first_layer_on_and_are_written_as_they_were_read()
    {
        Assert.Equal([96, 176, 96, 176, 96], Mixed.Kinds.Select(k => k.FfnDim));
        Assert.Equal([24, null, 24, null, 24], Mixed.Kinds.Select(k => k.Window));
        Assert.Equal(Mixed, ModelConfigReader.Parse(ModelConfigWriter.Own(Mixed), "file"));
        Assert.Equal(Mixed, ModelConfigReader.Parse(ModelConfigWriter.Stored(Mixed), "file"));
        Assert.NotEqual(Mixed, Mixed with { Pattern = new LayerPattern(new LayerKind(96, 25), new LayerKind(176)) });
    }

    [Fact]
    public void Each_layer_counts_as_it_is()
    {
        var (narrow, wide) = (Mixed with { Pattern = null, FfnDim = 96 }, Mixed with { Pattern = null });
        Assert.Equal(
            Mixed.ParameterCount,
            ((3 * narrow.ParameterCount) + (2 * wide.ParameterCount)) / 5);
        // With all keys in the window, a window changes nothing; with 24 of 1,000 nearly all of attention is left out.
        Assert.Equal(((3 * narrow.ModelFlops(24)) + (2 * wide.ModelFlops(24))) / 5, Mixed.ModelFlops(24), 1.0);
        double full = ((3 * narrow.ModelFlops(1000)) + (2 * wide.ModelFlops(1000))) / 5;
        double saved = 3 * 6.0 * ((1000.0 * 1000) - ((2000 - 24) * 24)) * Mixed.QueryDim;
        Assert.Equal(full - saved, Mixed.ModelFlops(1000), 1e3);
    }

    [Fact]
    public void Layers_that_share_keys_and_values_read_those_of_the_nearest_below_that_has_them()
    {
        string file = File.Replace("{\"ffn_dim\": 176}]", "{\"ffn_dim\": 176, \"shares_kv\": true}]", StringComparison.Ordinal);
        var model = ModelConfigReader.Parse(file, "file");
        Assert.Equal([0, 0, 2, 2, 4], model.Layers.Select(l => model.KvSourceOf(l).Index));
        Assert.Equal([false, true, false, true, true], model.Layers.Select(model.IsLastToReadKv));
        Assert.Equal([true, false, true, false, false], model.Kinds.Select(k => k.KvIsRead)); // nothing reads the last one's
        Assert.Equal(model, ModelConfigReader.Parse(ModelConfigWriter.Stored(model), "file"));

        // Of two layers the matrices of keys and of values are not there, nor are their products.
        int less = 2 * 2 * model.ModelDim * model.KvDim;
        Assert.Equal(Mixed.ParameterCount - less, model.ParameterCount);
        Assert.Equal(Mixed.ModelFlops(64) - (6.0 * 64 * less), model.ModelFlops(64), 1.0);
    }

    [Fact]
    public void Programs_and_layouts_are_each_layers_own()
    {
        var programs = new BlockPrograms(Mixed, Recipe.Fp32, new Geometry(64, 1, 32, 2, 1, 16));
        Assert.Equal(2, programs.Kinds.Length);
        Assert.Same(programs[new Layer(0)], programs[new Layer(4)]);
        Assert.Equal(2 * 96, programs[new Layer(2)].Parts[0][WeightName.GateUp].Rows);
        Assert.Equal(2 * 176, programs[new Layer(3)].Parts[0][WeightName.GateUp].Rows);
        Assert.True(programs[new Layer(0)].ActivationsSize(SaveSet.All) < programs[new Layer(1)].ActivationsSize(SaveSet.All));

        // Ids, targets, first keys and order, and the first keys of the one window.
        Assert.Equal(5 * 4 * 32, programs.TableSize.Value);
        Assert.Equal(
            new Bytes(4 * 4 * 32),
            programs[new Layer(0)].Forward(SaveSet.All).Places[TensorName.FirstKeyInWindow].Offset
        );
        Assert.DoesNotContain(TensorName.FirstKeyInWindow, programs[new Layer(1)].Forward(SaveSet.All).Places.Keys);
    }

    [Theory]
    [InlineData("3", "layers must be a list of objects, found 3")]
    [InlineData("[]", "layers must be a list of objects, found []")]
    [InlineData(
        "[{\"ffn_dim\": 176, \"widnow\": 3}]",
        "layers: widnow is not a key of a layer (these are: ffn_dim, window, ffn_apart, frozen, frozen_dtype, shares_kv, convolution, "
            + "experts)"
    )]
    [InlineData("[{\"window\": 3}]", "layers: ffn_dim is missing")]
    [InlineData("[{\"ffn_dim\": 176, \"window\": 0}]", "window of layers must be at least 1, found 0")]
    [InlineData("[{\"ffn_dim\": 0}, {\"ffn_dim\": 176}]", "ffn_dim of layers must be from 1 to 1048576, found 0")]
    [InlineData(
        "[{\"ffn_dim\": 176, \"frozen\": true, \"frozen_dtype\": \"int32\"}]",
        "layers: frozen_dtype must be bf16 or int8, found \"int32\""
    )]
    [InlineData(
        "[{\"ffn_dim\": 176, \"frozen_dtype\": \"bf16\"}]",
        "layers has a layer with frozen_dtype bf16 that is not frozen, and only frozen layers have one"
    )]
    [InlineData(
        "[{\"ffn_dim\": 176, \"shares_kv\": true}, {\"ffn_dim\": 176}]",
        "the first of layers has shares_kv, and no layer below it has keys and values that it could read"
    )]
    [InlineData("[{\"ffn_dim\": 96}]", "ffn_dim is 176, and the widest of layers has 96")]
    [InlineData(
        "[{\"ffn_dim\": 176}, {\"ffn_dim\": 1}, {\"ffn_dim\": 1}, {\"ffn_dim\": 1}, {\"ffn_dim\": 1}, {\"ffn_dim\": 1}]",
        "layers lists 6 kinds of layers for 5 layers"
    )]
    public void What_a_file_says_wrong_of_layers_is_said(string layers, string fault) =>
        Assert.EndsWith("cannot be used: " + fault, Fault(layers), StringComparison.Ordinal);

    /// <summary>Against counting them one by one.</summary>
    [Fact]
    public void Attended_pairs_within_a_window_are_all_that_there_are()
    {
        var random = new Random(7);
        for (int trial = 0; trial < 300; trial++)
        {
            int chunkTokens = random.Next(1, 12), chunks = random.Next(1, 7);
            int seqlen = random.Next(1, (chunkTokens * chunks) + 1), window = random.Next(1, 20);
            var geometry = new Geometry(seqlen, 1, chunkTokens, chunks, 1, chunkTokens);
            for (int c = 0; c < chunks; c++)
            {
                double all = 0;
                int segments = geometry.SegmentsUpTo(random.Next(1, geometry.ChunksPerGroup + 1));
                double[] within = new double[segments];
                for (int token = c * chunkTokens; token < (c + 1) * chunkTokens; token++)
                {
                    int first = Math.Max(token - (token % seqlen), token - window + 1);
                    all += token - first + 1;
                    for (int key = first; key <= token; key++)
                    {
                        int segment = key / chunkTokens % geometry.ChunksPerGroup / geometry.ChunksPerSegment(segments);
                        within[segment]++;
                    }
                }

                Assert.Equal(all, geometry.AttendedPairs(new Chunk(c), window));
                int own = geometry.SegmentOf(new Chunk(c), segments).Index;
                Assert.Equal(
                    within[..(own + 1)],
                    Enumerable.Range(0, own + 1).Select(s => geometry.AttendedPairs(new Chunk(c), new Segment(s, segments), window))
                );
            }
        }
    }
}
