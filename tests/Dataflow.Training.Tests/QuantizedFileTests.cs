using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>The bytes of a base's matrices, made once, kept beside the model or elsewhere, and made anew where they are damaged.</summary>
public sealed class QuantizedFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory().FullName;
    private readonly List<string> told = [];
    private readonly Checkpoint own = Checkpoint.Open(Path.Combine(Golden.Root + "-lora", "base-phi3"));

    public void Dispose()
    {
        own.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData(DType.Int8)]
    [InlineData(DType.Nf4)]
    [InlineData(DType.Nf4Nested)]
    public void They_are_made_once_for_what_they_are_made_of(DType type)
    {
        var source = Source(type);
        using (var made = Open(source, "a"))
        {
            AssertHolds(made!, source);
            Assert.Equal(F("model"), Path.GetDirectoryName(made!.Path));
        }

        Assert.Contains($"are stored as {type.Name()} once, and kept in {F("model")}", Assert.Single(told), StringComparison.Ordinal);
        using (var again = Open(source, "a"))
        {
            AssertHolds(again!, source);
        }

        Assert.Single(told);
        using var other = Open(source, "b");
        Assert.Equal(2, told.Count);
        Assert.Equal(2, Directory.GetFiles(F("model")).Length);
    }

    [Fact]
    public void Where_nothing_can_be_written_they_are_kept_elsewhere_and_found_there()
    {
        File.WriteAllText(F("model"), "a file, and no folder");
        var source = Source(DType.Nf4);
        using (var made = Open(source, "a"))
        {
            Assert.Equal(F("cache"), Path.GetDirectoryName(made!.Path));
            AssertHolds(made, source);
        }

        Assert.Equal(2, told.Count);
        Assert.EndsWith($"; they are kept in {Directory.GetFiles(F("cache")).Single()}", told[1], StringComparison.Ordinal);
        Assert.Contains(F("model"), told[1].Split(';')[0], StringComparison.Ordinal);
        Open(source, "a")!.Dispose();
        Assert.Equal(2, told.Count);
    }

    [Fact]
    public void Where_they_can_be_kept_nowhere_that_is_said()
    {
        File.WriteAllText(F("model"), "a file, and no folder");
        File.WriteAllText(F("cache"), "another");
        Assert.Null(Open(Source(DType.Nf4), "a"));
        Assert.Equal(3, told.Count);
        Assert.EndsWith("; they are made anew each time", told[2], StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_was_cut_short_or_is_of_something_else_is_made_anew()
    {
        var source = Source(DType.Nf4);
        Open(source, "a")!.Dispose();
        string file = Directory.GetFiles(F("model")).Single();
        byte[] whole = File.ReadAllBytes(file);
        File.WriteAllBytes(file, whole[..^100]);
        Open(source, "a")!.Dispose();
        Assert.Equal(whole, File.ReadAllBytes(file));
        Open(source, "b")!.Dispose();
        File.Copy(Directory.GetFiles(F("model")).Single(f => f != file), file, overwrite: true);
        Open(source, "a")!.Dispose();
        Assert.Equal(whole, File.ReadAllBytes(file));
        Assert.Equal(4, told.Count);
    }

    /// <summary>What is read through them is what is made of the values each time, and the rest is as it is.</summary>
    [Theory]
    [InlineData(DType.BFloat16)]
    [InlineData(DType.Int8)]
    [InlineData(DType.Nf4)]
    [InlineData(DType.Nf4Nested)]
    public void A_model_has_the_numbers_of_its_bytes_in_any_pieces(DType type)
    {
        var source = Source(type);
        using var kept = new QuantizedWeights(source, () => type == DType.BFloat16 ? null : Open(source, "a"));
        using var made = new QuantizedWeights(source);
        var block = ParameterObject.Block(new Layer(1));
        int count = (int)block.Layout(source.Model).ElementCount;
        byte[] whole = new byte[count * sizeof(float)], pieces = new byte[count * sizeof(float)], plain = new byte[count * sizeof(float)];
        kept.Read(block, 0, whole, DType.Float32);
        source.Read(block, 0, plain, DType.Float32);
        for (int first = 0; first < count; first += 333)
        {
            int some = Math.Min(333, count - first);
            made.Read(block, first, pieces.AsSpan(first * sizeof(float), some * sizeof(float)), DType.Float32);
        }

        Assert.Equal(whole, pieces);

        // The files have numbers that bf16 has.
        Assert.Equal(type == DType.BFloat16, plain.AsSpan().SequenceEqual(whole));
        var plainly = block.Layout(source.Model).Tensors.Where(t => t.Spec.Storage is null).ToList();
        Assert.All(plainly, t => Assert.Equal(plain.AsSpan(Bytes(t)).ToArray(), whole.AsSpan(Bytes(t)).ToArray()));

        static Range Bytes(WeightTensor t) =>
            ((int)t.ElementOffset * sizeof(float))..((int)(t.ElementOffset + t.Count) * sizeof(float));
    }

    private IWeightSource Source(DType type) => own.WeightsOf(ModelFiles.LoadConfig(own.Path).Storing(type));

    private QuantizedFile? Open(IWeightSource source, string fingerprint)
    {
        if (!File.Exists(F("model")))
        {
            Directory.CreateDirectory(F("model"));
        }

        return QuantizedFile.Open(source, fingerprint, F("model"), F("cache"), told.Add);
    }

    private static void AssertHolds(QuantizedFile file, IWeightSource source) =>
        Assert.All(BaseMatrices.Of(source.Model), m => Assert.Equal(m.StoreFrom(source), file.Read(m)));

    private string F(string name) => Path.Combine(folder, name);
}
