using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Reading, writing, converting, and every kind of damage.</summary>
public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static byte[] Raw(params float[] values) => MemoryMarshal.AsBytes(values.AsSpan()).ToArray();

    private static float[] ReadFloats(StoredTensor tensor, long firstRow, long rows)
    {
        float[] values = new float[rows * tensor.Columns];
        tensor.ReadRows(firstRow, rows, MemoryMarshal.AsBytes(values.AsSpan()), DType.Float32);
        return values;
    }

    [Fact]
    public void What_is_written_reads_back()
    {
        string path = _folder["x.safetensors"];
        using (var writer = SafetensorsWriter.Create(
            path,
            [new("matrix", [3, 2], DType.Float32), new("nothing", [0, 4], DType.Float32), new("vector", [5], DType.BFloat16)],
            new Dictionary<string, string> { ["step"] = "12", ["a \"quoted\" key"] = "ünïcode" }))
        {
            writer.Write("matrix", Raw(1, 2, 3), DType.Float32);
            writer.Write("matrix", Raw(4, 5, 6.5f), DType.Float32);
            writer.Write("vector", Raw(1, 2, -3, 0.5f, 1.00390625f), DType.Float32);
            Assert.False(File.Exists(path));
            writer.Complete();
        }

        Assert.Equal(["x.safetensors"], _folder.Names);
        byte[] bytes = File.ReadAllBytes(path);
        long head = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.Equal(0, head % 8);
        Assert.Equal(8 + head + 24 + 10, bytes.Length);
        Assert.EndsWith("}", Encoding.UTF8.GetString(bytes, 8, (int)head).TrimEnd(' '), StringComparison.Ordinal);

        using var file = SafetensorsFile.Open(path);
        Assert.Equal(["matrix", "nothing", "vector"], file.Tensors.Select(t => t.Name));
        Assert.Equal("12", file.Metadata["step"]);
        Assert.Equal("ünïcode", file.Metadata["a \"quoted\" key"]);
        Assert.Equal([3, 4, 5, 6.5f], ReadFloats(file.Find("matrix")!, 1, 2));
        Assert.Equal([1, 2, -3, 0.5f, 1], ReadFloats(file.Find("vector")!, 0, 1)); // 1 + 2^-8 is a tie, and 1 is even
        Assert.Equal(0, file.Find("nothing")!.Rows);
        Assert.Null(file.Find("matri"));
    }

    [Fact]
    public void Codes_are_written_and_read_as_they_are_and_are_no_numbers()
    {
        string path = _folder["codes.safetensors"];
        byte[] codes = [.. Enumerable.Range(0, 256).Select(i => (byte)(255 - i))];
        using (var writer = SafetensorsWriter.Create(path, [new("codes", [256], DType.UInt8), new("scales", [1], DType.Float32)]))
        {
            writer.Write("codes", codes.AsSpan(0, 100), DType.UInt8);
            writer.Write("codes", codes.AsSpan(100), DType.UInt8);
            writer.Write("scales", Raw(2), DType.Float32);
            writer.Complete();
        }

        using var file = SafetensorsFile.Open(path);
        var tensor = file.Find("codes")!;
        byte[] part = new byte[56];
        tensor.ReadElements(200, part, DType.UInt8);
        Assert.Equal((StoredType.U8, 256L), (tensor.Type, tensor.Count));
        Assert.Equal(codes[200..], part);
        string message = Assert.Throws<UserErrorException>(() => ReadFloats(tensor, 0, 1)).Message;
        Assert.Contains("codes has element type U8", message, StringComparison.Ordinal);
        Assert.Throws<UserErrorException>(() => file.Find("scales")!.ReadElements(0, part.AsSpan(0, 1), DType.UInt8));
    }

    [Fact]
    public void A_reader_may_lie_beyond_two_gibibytes_of_a_file()
    {
        long rows = (1L << 31) + 5; // one byte each would not do: bf16, so 4 GiB that the file system does not store
        string path = _folder.PutSafetensors(
            "big.safetensors",
            $$$"""{"t":{"dtype":"BF16","shape":[{{{rows}}},1],"data_offsets":[0,{{{rows * 2}}}]}}""",
            0
        );
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite))
        {
            long start = stream.Length;
            stream.SetLength(start + (rows * 2));
            stream.Position = start + ((rows - 2) * 2);
            stream.Write([0x80, 0x3F, 0x00, 0x40]);
        }

        using var file = SafetensorsFile.Open(path);
        Assert.Equal([0, 1, 2], ReadFloats(file.Tensors[0], rows - 3, 3));
    }

    [Theory]
    [InlineData(1.0f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)] // tie, down to even
    [InlineData(1.01171875f, 0x3F82)] // tie, up to even
    [InlineData(1.003907f, 0x3F81)]
    [InlineData(-1.01171875f, 0xBF82)]
    [InlineData(3.4028235e38f, 0x7F80)] // rounds up to infinity, as IEEE says
    [InlineData(float.NegativeInfinity, 0xFF80)]
    [InlineData(1e-45f, 0x0000)]
    [InlineData(-0.0f, 0x8000)]
    public void Rounding_to_bf16_is_to_nearest_even(float value, int bits) => Assert.Equal(bits, ElementConversion.ToBFloat16(value));

    [Fact]
    public void Every_bf16_survives_the_way_through_floats_and_nan_stays_nan()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float value = ElementConversion.FromBFloat16((ushort)bits);
            int back = ElementConversion.ToBFloat16(value);
            Assert.True(float.IsNaN(value) ? float.IsNaN(ElementConversion.FromBFloat16((ushort)back)) : back == bits);
        }

        Assert.True(float.IsNaN(ElementConversion.FromBFloat16(ElementConversion.ToBFloat16(BitConverter.UInt32BitsToSingle(0x7F800001)))));
    }

    [Fact]
    public void Half_precision_is_read_as_float_and_as_bf16()
    {
        string path = _folder.PutSafetensors("h.safetensors", """{"t":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}""", 6);
        byte[] bytes = File.ReadAllBytes(path);
        MemoryMarshal.AsBytes<Half>(new Half[] { (Half)1.5f, (Half)(-65504f), (Half)6e-8f }).CopyTo(bytes.AsSpan()[^6..]);
        File.WriteAllBytes(path, bytes);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal([1.5f, -65504f, (float)(Half)6e-8f], ReadFloats(file.Tensors[0], 0, 1));
        ushort[] narrow = new ushort[3];
        file.Tensors[0].ReadRows(0, 1, MemoryMarshal.AsBytes(narrow.AsSpan()), DType.BFloat16);
        Assert.Equal(0x3FC0, narrow[0]);
        Assert.Equal(0xC780, narrow[1]);
    }

    [Theory]
    [InlineData("", "its header is not JSON")]
    [InlineData("[]", "its header has a value of the wrong type")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}", "its header is not JSON")]
    [InlineData("{\"t\":3}", "tensor t lacks a proper dtype, shape or data_offsets")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[2]}}", "tensor t lacks a proper dtype, shape or data_offsets")]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}",
        "tensor t lacks a proper dtype, shape or data_offsets"
    )]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[\"0\",8]}}", "its header has a value of the wrong type")]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0.5,8]}}",
        "tensor t lacks a proper dtype, shape or data_offsets"
    )]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "tensor t has a dimension of -2")]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}",
        "tensor t of shape [3] and type F32 needs 12 bytes and has 8"
    )]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,8]}}",
        "tensor t has a shape beyond any file"
    )]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}}",
        "tensor t should lie at 0 to 12 of 8 bytes of data; the file may be cut short"
    )]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", "tensor t should lie at -8 to 0 of 8 bytes of data")]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"u\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[2,8]}}",
        "tensor u overlaps the one before it"
    )]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "there is a gap before tensor t")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "its tensors end at byte ")]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "it has two tensors named t"
    )]
    [InlineData(
        "{\"__metadata__\":{\"a\":1},\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
        "its header has a value of the wrong type"
    )]
    public void A_damaged_head_is_refused_with_its_fault(string head, string fault)
    {
        string path = _folder.PutSafetensors("x.safetensors", head, 8);
        string message = UserErrors.Message(() => SafetensorsFile.Open(path));
        Assert.StartsWith($"{path} is not a safetensors file or is damaged: {fault}", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_truncation_of_a_file_is_refused()
    {
        byte[] whole = File.ReadAllBytes(Path.Combine(Golden.Folder("llama-long"), "model.safetensors"));
        foreach (int length in new[] { 0, 1, 7, 8, 9, 100, 2000, 4000, whole.Length / 2, whole.Length - 1 })
        {
            string path = _folder.Put("cut.safetensors", whole[..length]);
            Assert.Contains("damaged", UserErrors.Message(() => SafetensorsFile.Open(path)), StringComparison.Ordinal);
        }

        string longer = _folder.Put("long.safetensors", [.. whole, 0]);
        Assert.Contains("its tensors end at byte", UserErrors.Message(() => SafetensorsFile.Open(longer)), StringComparison.Ordinal);
    }

    [Fact]
    public void Files_of_other_kinds_are_refused()
    {
        Assert.Contains(
            "at most 100000000 are possible",
            UserErrors.Message(() => SafetensorsFile.Open(_folder.Put("t", "{\"just\": \"text\"}"))),
            StringComparison.Ordinal
        );
        Assert.Contains("does not exist", UserErrors.Message(() => SafetensorsFile.Open(_folder["none"])), StringComparison.Ordinal);
        Assert.Contains("is a folder", UserErrors.Message(() => SafetensorsFile.Open(_folder.Root)), StringComparison.Ordinal);
        byte[] notText = File.ReadAllBytes(_folder.PutSafetensors("n", "{\"t\":3}", 0));
        notText[10] = 0xFF;
        Assert.Contains("not UTF-8", UserErrors.Message(() => SafetensorsFile.Open(_folder.Put("n", notText))), StringComparison.Ordinal);
    }

    [Fact]
    public void Other_element_types_may_lie_in_a_file_but_not_be_read()
    {
        string path = _folder.PutSafetensors("i.safetensors", """{"t":{"dtype":"I64","shape":[2],"data_offsets":[0,16]}}""", 16);
        using var file = SafetensorsFile.Open(path);
        Assert.Equal(
            $"{path}: tensor t has element type I64, and F32, BF16 and F16 can be read",
            UserErrors.Message(() => ReadFloats(file.Tensors[0], 0, 1))
        );
        string unknown = _folder.PutSafetensors("f.safetensors", """{"t":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}""", 1);
        Assert.Contains("tensor t has element type F4", UserErrors.Message(() => SafetensorsFile.Open(unknown)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_shrinks_while_in_use_is_noticed()
    {
        string path = _folder.PutSafetensors("x.safetensors", """{"t":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", 16);
        using var file = SafetensorsFile.Open(path);
        using (var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            stream.SetLength(stream.Length - 4);
        }

        Assert.Contains("cut short while in use", UserErrors.Message(() => ReadFloats(file.Tensors[0], 0, 1)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_file_and_nothing_else()
    {
        string path = _folder.Put("x.safetensors", "old");
        TensorToWrite[] tensors = [new("t", [1000], DType.BFloat16)];
        foreach (int room in new[] { 10, 1000 })
        {
            string message = UserErrors.Message(() =>
            {
                using var writer = SafetensorsWriter.Create(
                    AtomicFile.Create(path, null, name => new FailingStream(name, room, errno: 28)),
                    tensors
                );
                writer.Write("t", Raw(new float[1000]), DType.Float32);
                writer.Complete();
            });
            Assert.Contains("disk full", message, StringComparison.Ordinal);
            Assert.Equal("old", File.ReadAllText(path));
            Assert.Equal(["x.safetensors"], _folder.Names);
        }
    }

    [Fact]
    public void Tensors_out_of_order_or_of_the_wrong_size_are_mistakes_of_the_program()
    {
        using var writer = SafetensorsWriter.Create(_folder["x"], [new("a", [2], DType.Float32), new("b", [1], DType.Float32)]);
        Assert.Throws<InvalidOperationException>(() => writer.Write("b", Raw(1), DType.Float32));
        Assert.Throws<InvalidOperationException>(() => writer.Write("a", Raw(1, 2, 3), DType.Float32));
        writer.Write("a", Raw(1, 2), DType.Float32);
        Assert.Throws<InvalidOperationException>(() => writer.Write("a", Raw(1), DType.Float32));
        Assert.Throws<InvalidOperationException>(writer.Complete);
        Assert.Throws<ArgumentException>(() =>
            SafetensorsWriter.Create(_folder["y"], [new("a", [2], DType.Float32), new("a", [1], DType.Float32)])
        );
    }
}
