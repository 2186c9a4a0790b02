using System.Runtime.InteropServices;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Checkpoints against models: names, shapes, shards, and the way into and out of parameter objects.</summary>
public sealed class CheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Cases => Golden.Cases;

    public void Dispose() => _folder.Dispose();

    private static ModelConfig Model(string name) => ModelFiles.LoadConfig(Golden.Folder(name));

    private static float[] Values(StoredTensor tensor)
    {
        float[] values = new float[tensor.Count];
        tensor.ReadElements(0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }

    private static float[] Values(IWeightSource source, ParameterObject weights)
    {
        float[] values = new float[weights.Layout(source.Model).ElementCount];
        source.Read(weights, 0, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Every_golden_checkpoint_fits_its_model(string name)
    {
        var model = Model(name);
        using var checkpoint = Checkpoint.Open(Golden.Folder(name));
        checkpoint.Check(model);
        Assert.Equal(
            WeightNames.Enumerate(model).Select(w => w.Name).Order(StringComparer.Ordinal),
            checkpoint.Tensors.Keys.Order(StringComparer.Ordinal)
        );
        Assert.Equal(model.ParameterCount, checkpoint.Tensors.Values.Sum(t => t.Count));
        foreach (string other in new[] { "gradients.safetensors", "trained.safetensors" })
        {
            using var file = Checkpoint.Open(Path.Combine(Golden.Folder(name), other));
            file.Check(model);
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Weights_land_where_the_layout_says_and_padding_is_zero(string name)
    {
        var model = Model(name);
        using var checkpoint = Checkpoint.Open(Golden.Folder(name));
        var source = checkpoint.WeightsOf(model);
        foreach (var group in WeightNames.Enumerate(model).GroupBy(w => w.Object))
        {
            float[] values = Values(source, group.Key);
            bool[] used = new bool[values.Length];
            foreach (var weight in group)
            {
                Assert.Equal(Values(checkpoint.Tensors[weight.Name]), values[(int)weight.ElementOffset..][..(int)weight.ElementCount]);
                used.AsSpan((int)weight.ElementOffset, (int)weight.ElementCount).Fill(true);
            }

            Assert.All(values.Zip(used).Where(v => !v.Second), v => Assert.Equal(0, v.First));
        }
    }

    [Fact]
    public void Any_piece_of_an_object_is_that_piece_of_the_whole()
    {
        var model = Model("qwen3-small");
        using var checkpoint = Checkpoint.Open(Golden.Folder("qwen3-small"));
        foreach (var source in new[] { checkpoint.WeightsOf(model), WeightInitialiser.Weights(model, 1) })
        {
            var block = ParameterObject.Block(new Layer(1));
            float[] whole = Values(source, block);
            var random = new Random(5);
            for (int i = 0; i < 50; i++)
            {
                int first = random.Next(whole.Length);
                float[] piece = new float[random.Next(whole.Length - first)];
                piece.AsSpan().Fill(float.NaN);
                source.Read(block, first, MemoryMarshal.AsBytes(piece.AsSpan()), DType.Float32);
                Assert.Equal(whole[first..(first + piece.Length)], piece);
            }

            Assert.Throws<ArgumentOutOfRangeException>(() => source.Read(block, whole.Length - 1, new byte[8], DType.Float32));
        }
    }

    [Theory]
    [InlineData("llama-small", DType.BFloat16)]
    [InlineData("qwen3-small", DType.Float32)]
    public void A_saved_folder_is_the_same_model(string name, DType type)
    {
        var model = Model(name);
        using var original = Checkpoint.Open(Golden.Folder(name));
        Directory.CreateDirectory(_folder["saved/" + name]);
        CheckpointWriter.Write(
            Path.Combine(_folder["saved/" + name], Checkpoint.FileName),
            original.WeightsOf(model),
            type,
            new Dictionary<string, string> { ["step"] = "3" }
        );
        File.WriteAllText(Path.Combine(_folder["saved/" + name], ModelFiles.ConfigName), ModelConfigWriter.Stored(model));
        Assert.Equal(model, ModelFiles.LoadConfig(_folder["saved/" + name]));
        using var saved = Checkpoint.Open(_folder["saved/" + name]);
        saved.Check(model);
        Assert.Equal("3", saved.Metadata["step"]);
        foreach (var (tensorName, tensor) in original.Tensors)
        {
            Assert.Equal(type.Stored(), saved.Tensors[tensorName].Type);
            Assert.Equal(Values(tensor), Values(saved.Tensors[tensorName])); // golden weights are exact in bf16
        }
    }

    [Fact]
    public void Bindings_cover_each_tensor_of_a_block_row_by_row()
    {
        var model = Model("qwen3-small");
        var k = WeightNames.Enumerate(model).Single(w => w.Name == "model.layers.1.self_attn.k_proj.weight");
        Assert.Equal([64, 64], k.Shape);
        Assert.Equal(ParameterObject.Block(new Layer(1)), k.Object);
        Assert.Equal(WeightName.Qkv, k.Tensor.Name);
        Assert.Equal(128 * 64, k.Part.FirstElement);
        Assert.Equal(k.Tensor.ElementOffset + (128 * 64), k.ElementOffset);
        var norm = WeightNames.Enumerate(model).Single(w => w.Name == "model.layers.0.self_attn.q_norm.weight");
        Assert.Equal([32], norm.Shape);
        Assert.DoesNotContain(WeightNames.Enumerate(model), w => w.Name == "lm_head.weight");
        Assert.Equal(["embedding", "L00", "L01", "head"], ParameterObject.All(model).Select(o => o.ToString()));
    }

    [Fact]
    public void A_checkpoint_of_another_model_is_refused_with_all_that_differs()
    {
        using var checkpoint = Checkpoint.Open(Golden.Folder("llama-small"));
        var model = Model("llama-small");
        Assert.Equal(
            $"{checkpoint.Path} does not fit the model llama-small; "
                + "missing: model.layers.2.input_layernorm.weight, model.layers.2.self_attn.q_proj.weight, "
                + "model.layers.2.self_attn.k_proj.weight, "
                + "model.layers.2.self_attn.v_proj.weight, model.layers.2.self_attn.o_proj.weight and 4 more; "
                + "model.embed_tokens.weight has shape [320, 64] instead of [321, 64], lm_head.weight has shape [320, 64] instead of "
                + "[321, 64]",
            UserErrors.Message(() => checkpoint.Check(model with { LayerCount = 3, VocabSize = 321 }))
        );
        Assert.Contains(
            "; unexpected: model.layers.1.input_layernorm.weight, ",
            UserErrors.Message(() => checkpoint.Check(model with { LayerCount = 1 })),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "self_attn.q_norm.weight",
            UserErrors.Message(() => checkpoint.WeightsOf(model with { QkNorm = true })),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void What_old_and_tied_checkpoints_carry_besides_is_not_read()
    {
        using var checkpoint = Checkpoint.Open(Golden.Folder("llama-small"));
        checkpoint.Check(Model("llama-small") with { TiedEmbedding = true });

        var model = Model("llama-small") with
        {
            VocabSize = 1,
            ModelDim = 2,
            LayerCount = 1,
            HeadCount = 1,
            KvHeadCount = 1,
            HeadDim = 2,
            FfnDim = 1,
        };
        var tensors = WeightNames.Enumerate(model).Select(w => new TensorToWrite(w.Name, w.Shape, DType.Float32)).ToList();
        tensors.Add(new("model.layers.0.self_attn.rotary_emb.inv_freq", [1], DType.Float32));
        WriteZeros("old.safetensors", tensors);
        using var old = Checkpoint.Open(_folder["old.safetensors"]);
        old.Check(model);
    }

    [Fact]
    public void Shards_are_found_through_their_index()
    {
        WriteZeros("one.safetensors", [new("a", [2, 2], DType.Float32), new("unlisted", [1], DType.Float32)]);
        WriteZeros("two.safetensors", [new("b", [3], DType.BFloat16)]);
        string index = _folder.Put(
            Checkpoint.IndexName,
            """{"metadata": {"total_size": 22}, "weight_map": {"b": "two.safetensors", "a": "one.safetensors"}}"""
        );
        foreach (string path in new[] { index, _folder.Root })
        {
            using var checkpoint = Checkpoint.Open(path);
            Assert.Equal(["a", "b"], checkpoint.Tensors.Keys.Order(StringComparer.Ordinal));
            Assert.Equal([0, 0, 0], Values(checkpoint.Tensors["b"]));
        }
    }

    [Theory]
    [InlineData(
        "{\"weight_map\": {\"a\": \"one.safetensors\", \"c\": \"one.safetensors\"}}",
        "says that one.safetensors holds c, and it does not"
    )]
    [InlineData("{\"weight_map\": {\"a\": \"three.safetensors\"}}", "three.safetensors does not exist")]
    [InlineData(
        "{\"weight_map\": {\"a\": \"../one.safetensors\"}}",
        "names a file '../one.safetensors', and a plain file name was expected"
    )]
    [InlineData("{\"weight_map\": {\"a\": 3}}", "is not a checkpoint index")]
    [InlineData("{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}", "is not a checkpoint index")]
    [InlineData("{\"weight_map\": {}}", "its weight_map is empty")]
    [InlineData("{}", "is not a checkpoint index")]
    [InlineData("[]", "is not a checkpoint index")]
    [InlineData("oops", "is not a checkpoint index")]
    public void A_wrong_index_is_refused(string index, string fault)
    {
        WriteZeros("one.safetensors", [new("a", [2, 2], DType.Float32)]);
        _folder.Put(Checkpoint.IndexName, index);
        Assert.Contains(fault, UserErrors.Message(() => Checkpoint.Open(_folder.Root)), StringComparison.Ordinal);
    }

    [Fact]
    public void Folders_without_a_model_say_what_they_lack()
    {
        Assert.Contains(
            "holds neither model.safetensors nor model.safetensors.index.json",
            UserErrors.Message(() => Checkpoint.Open(_folder.Root)),
            StringComparison.Ordinal
        );
        Assert.Contains("holds no config.json", UserErrors.Message(() => ModelFiles.LoadConfig(_folder.Root)), StringComparison.Ordinal);
        Assert.Contains("does not exist", UserErrors.Message(() => ModelFiles.LoadConfig(_folder["none.json"])), StringComparison.Ordinal);
        Assert.Contains(
            "is not UTF-8 text",
            UserErrors.Message(() => ModelFiles.LoadConfig(_folder.Put("x.json", [0xC3, 0x28]))),
            StringComparison.Ordinal
        );
        Assert.Contains(
            "far too much",
            UserErrors.Message(() => ModelFiles.LoadConfig(_folder.Put("big.json", new byte[5 << 20]))),
            StringComparison.Ordinal
        );
        Assert.StartsWith(
            _folder["x.json"] + " is not valid JSON",
            UserErrors.Message(() => ModelFiles.LoadConfig(_folder.Put("x.json", "{"))),
            StringComparison.Ordinal
        );
    }

    private void WriteZeros(string name, IReadOnlyList<TensorToWrite> tensors)
    {
        using var writer = SafetensorsWriter.Create(_folder[name], tensors);
        foreach (var tensor in tensors)
        {
            writer.Write(tensor.Name, new byte[tensor.Count * 4], DType.Float32);
        }

        writer.Complete();
    }
}
