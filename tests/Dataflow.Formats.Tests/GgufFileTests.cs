using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Dataflow.Model;

namespace Dataflow.Formats.Tests;

public class GgufFileTests
{
    public static TheoryData<string> Files => ["tiny.gguf", "split-00001-of-00002.gguf", "split-00002-of-00002.gguf"];

    [Theory]
    [MemberData(nameof(Files))]
    public void Tensors_are_where_the_other_writer_put_them(string name)
    {
        using var expected = JsonDocument.Parse(File.ReadAllText(Repository.Golden("files", "expected.json")));
        using var file = GgufFile.Open(Repository.Golden("files", name));
        var listed = name == "tiny.gguf" ? ["tiny.gguf"] : expected.RootElement.GetProperty("files").EnumerateObject()
            .Select(f => f.Name).Where(n => n.StartsWith("split", StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToArray();
        var files = expected.RootElement.GetProperty("files");
        var tensors = listed.SelectMany(n => files.GetProperty(n).GetProperty("tensors").EnumerateArray()).ToList();
        Assert.Equal(tensors.Count, file.Tensors.Count);
        foreach (var (tensor, found) in tensors.Zip(file.Tensors))
        {
            Assert.Equal(tensor.GetProperty("name").GetString(), found.Name);
            Assert.Equal(tensor.GetProperty("type").GetString(), found.TypeName);
            Assert.Equal(tensor.GetProperty("offset_in_file").GetInt64(), found.FileOffset);
            Assert.Equal(tensor.GetProperty("bytes").GetInt64(), found.ByteCount);
            Assert.Equal(
                tensor.GetProperty("dimensions_as_stored").EnumerateArray().Select(d => d.GetInt64()).Reverse(), found.Shape);
            byte[] bytes = new byte[found.ByteCount];
            found.ReadBytes(0, bytes);
            Assert.Equal(tensor.GetProperty("sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(bytes)));
        }
    }

    [Fact]
    public void Keys_and_values_are_those_that_the_other_writer_wrote()
    {
        using var expected = JsonDocument.Parse(File.ReadAllText(Repository.Golden("files", "expected.json")));
        using var file = GgufFile.Open(Repository.Golden("files", "tiny.gguf"));
        var keys = expected.RootElement.GetProperty("files").GetProperty("tiny.gguf").GetProperty("keys_in_order").EnumerateArray()
            .Select(k => k.GetString()!).ToList();
        Assert.Equal(keys, file.Metadata.Values.Select(v => v.Key));
        foreach (var value in expected.RootElement.GetProperty("values").EnumerateObject())
        {
            var found = file.Metadata.Find(value.Name)!;
            Assert.Equal(value.Value.GetProperty("type").GetString(), found.Kind.ToString().ToUpperInvariant());
            Assert.Equal(Text(value.Value.GetProperty("value")), Text(found));
        }
    }

    [Fact]
    public void Pieces_of_a_tensor_may_begin_and_end_anywhere()
    {
        using var file = GgufFile.Open(Repository.Golden("files", "tiny.gguf"));
        foreach (var tensor in file.Tensors)
        {
            var whole = new float[tensor.Count];
            tensor.Read(0, whole);
            for (int first = 0; first < 70 && first < whole.Length; first += 7)
            {
                var piece = new float[Math.Min(101, whole.Length - first)];
                tensor.Read(first, piece);
                Assert.Equal(whole.AsSpan(first, piece.Length).ToArray().Select(Bits), piece.Select(Bits));
            }
        }
    }

    [Fact]
    public void A_missing_part_is_named()
    {
        using var folder = new TemporaryFolder();
        string part = folder.Put(
            "m-00001-of-00002.gguf", File.ReadAllBytes(Repository.Golden("files", "split-00001-of-00002.gguf")));
        string message = Assert.Throws<UserErrorException>(() => GgufFile.Open(part)).Message;
        Assert.Contains("m-00002-of-00002.gguf does not exist", message, StringComparison.Ordinal);
        string renamed = folder.Put("m.gguf", File.ReadAllBytes(part));
        message = Assert.Throws<UserErrorException>(() => GgufFile.Open(renamed)).Message;
        Assert.Contains("part 1 of 2", message, StringComparison.Ordinal);
    }

    private static int Bits(float value) => BitConverter.SingleToInt32Bits(value);

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Array => $"[{string.Join(", ", value.EnumerateArray().Select(Text))}]",
        JsonValueKind.Number => value.GetDouble().ToString("R", CultureInfo.InvariantCulture),
        _ => value.ToString(),
    };

    private static string Text(object value) => value switch
    {
        GgufValue.Whole whole => whole.Number.ToString(CultureInfo.InvariantCulture),
        GgufValue.Real real => real.Number.ToString("R", CultureInfo.InvariantCulture),
        GgufValue.Flag flag => flag.Value.ToString(),
        GgufValue.Text text => text.Value,
        GgufValue.List list => Text(list.Items),
        Array items => $"[{string.Join(", ", items.Cast<object>().Select(Text))}]",
        float single => ((double)single).ToString("R", CultureInfo.InvariantCulture),
        IFormattable other => other.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}
