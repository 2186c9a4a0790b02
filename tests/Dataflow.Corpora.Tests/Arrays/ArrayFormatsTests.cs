using System.Runtime.InteropServices;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Corpora.Tests.Arrays;

/// <summary>Other programs' files of ids, byte by byte as these write them, and what is wrong with some.</summary>
public sealed class ArrayFormatsTests : IDisposable
{
    private static readonly int[] s_ids = [.. Enumerable.Range(0, 60).Select(i => i * 7)];
    private readonly string folder = Directory.CreateTempSubdirectory("arrays").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("<u2", IdType.UInt16, 1)]
    [InlineData("<u4", IdType.UInt32, 2)]
    [InlineData("<i8", IdType.Int64, 1)]
    [InlineData("<u8", IdType.UInt64, 3)]
    [InlineData("<i4", IdType.Int32, 1)]
    public void A_numpy_array(string descr, IdType type, byte version)
    {
        string path = Write("ids.npy", NumPy(descr, $"({s_ids.Length},)", Bytes(type), version));
        using var read = ArrayFormats.Open(path, null)!;
        Assert.Equal(s_ids, Document(read, 0));
        Assert.Equal((1L, s_ids.Max() + 1), (read.Await(9), read.IdCount));
        Assert.Contains(type.Name(), read.Finding, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<f4", "(60,)", "NumPy's type <f4")]
    [InlineData(">u2", "(60,)", "NumPy's type >u2")]
    [InlineData("<u2", "(6, 10)", "2 dimensions")]
    [InlineData("<u2", "(61,)", "speaks of 61")]
    [InlineData("<u2", "(99999999999999999999,)", "speaks of 9999")]
    [InlineData("<u2", "(9223372036854775807,)", "speaks of 9223")]
    public void A_numpy_array_that_is_no_line_of_ids(string descr, string shape, string part) =>
        Refused(Write("ids.npy", NumPy(descr, shape, Bytes(IdType.UInt16), 1)), part);

    [Theory]
    [InlineData(20240520, 1, IdType.UInt16)]
    [InlineData(20240801, 7, IdType.UInt32)]
    public void A_shard_of_llmc(int magic, int version, IdType type)
    {
        int[] header = new int[256];
        (header[0], header[1], header[2]) = (magic, version, s_ids.Length);
        byte[] file = [.. MemoryMarshal.AsBytes(header.AsSpan()), .. Bytes(type)];
        using (var read = ArrayFormats.Open(Write("train.bin", file), null)!)
        {
            Assert.Equal(s_ids, Document(read, 0));
        }

        Refused(Write("train.bin", file[..^1]), "it was cut short");
        Refused(Write("train.bin", file), "leave --id-type out", IdType.UInt64);
    }

    [Theory]
    [InlineData(8, IdType.UInt16)]
    [InlineData(4, IdType.Int32)]
    [InlineData(5, IdType.Int64)]
    public void An_indexed_dataset_of_megatron(byte code, IdType type)
    {
        int[] lengths = [10, 0, 20, 5, 25];
        long[] documents = [0, 2, 2, 5];
        byte[] index = Index(code, type, lengths, documents);
        string ids = Write("set.bin", Bytes(type));
        string idx = Write("set.idx", index);
        foreach (string name in new[] { ids, idx, Path.Combine(folder, "set") })
        {
            using var read = ArrayFormats.Open(name, null)!;
            Assert.Equal(3, read.Await(long.MaxValue));
            Assert.Equal(s_ids[..10], Document(read, 0));
            Assert.Equal([], Document(read, 1));
            Assert.Equal(s_ids[10..], Document(read, 2));
        }

        for (int length = 0; length < index.Length; length += 5)
        {
            Write("set.idx", index[..length]);
            Assert.Throws<UserErrorException>(() => ArrayFormats.Open(ids, null));
        }

        Write("set.idx", Index(code, type, [10, 0, 20, 5, 24], documents));
        Refused(ids, "do not belong together");
        Write("set.idx", Index(code, type, lengths, [0, 3, 2, 5]));
        Refused(ids, "do not ascend");
        Write("set.idx", Index(6, type, lengths, documents));
        Refused(ids, "type code 6");
    }

    [Theory]
    [InlineData(2, IdType.UInt16)]
    [InlineData(4, IdType.UInt32)]
    public void Tokens_of_datatrove(int bytes, IdType type)
    {
        string ids = Write("000_shard.ds", Bytes(type));
        Write("000_shard.ds.metadata", Encoding.UTF8.GetBytes($"gpt2|{bytes}\n60\n60 T"));
        Write("000_shard.ds.index", MemoryMarshal.AsBytes<long>([15L, 60L]).ToArray());
        Write("000_shard.ds.loss", [.. Enumerable.Range(0, 60).Select(i => (byte)(i % 3 == 0 ? 0 : 1))]);
        using (var read = ArrayFormats.Open(ids, null)!)
        {
            Assert.Equal(2, read.Await(long.MaxValue));
            Assert.Equal(s_ids[15..], Document(read, 1));
            byte[] weights = new byte[6];
            read.ReadWeights(1, 0, weights);
            Assert.Equal([0, 1, 1, 0, 1, 1], weights);
            Assert.True(read.HasWeights);
        }

        Write("000_shard.ds.loss", new byte[59]);
        Refused(ids, "a byte each");
        File.Delete(Path.Combine(folder, "000_shard.ds.loss"));
        Write("000_shard.ds.index", MemoryMarshal.AsBytes<long>([15L, 61L]).ToArray());
        Refused(ids, "does not ascend");
        Write("000_shard.ds.metadata", Encoding.UTF8.GetBytes("gpt2\n60"));
        Refused(ids, "old version");
        File.Delete(Path.Combine(folder, "000_shard.ds.metadata"));
        Refused(ids, "is not there");
    }

    [Theory]
    [InlineData(IdType.UInt16)]
    [InlineData(IdType.UInt32)]
    [InlineData(IdType.UInt64)]
    public void Raw_numbers_are_read_as_was_said_and_never_guessed(IdType type)
    {
        string path = Write("raw.bin", Bytes(type));
        Assert.Null(ArrayFormats.Open(path, null));
        using var read = ArrayFormats.Open(path, type)!;
        Assert.Equal(s_ids, Document(read, 0));
    }

    [Fact]
    public void Numbers_that_are_no_ids_are_refused()
    {
        Refused(Write("raw.bin", [.. Bytes(IdType.Int32), 255, 255, 255, 255]), "token 60 is no id", IdType.UInt32);
        Refused(Write("raw.bin", [1, 2, 3]), "no multiple", IdType.UInt16);
        Refused(Write("raw.bin", []), "no tokens", IdType.UInt16);
    }

    private static int[] Document(ArrayDocuments read, long document)
    {
        int[] ids = new int[read.LengthOf(document)];
        read.Read(document, 0, ids);
        return ids;
    }

    private static byte[] Bytes(IdType type) => [.. s_ids.SelectMany(i => BitConverter.GetBytes((long)i)[..type.Size()])];

    private static byte[] NumPy(string descr, string shape, byte[] data, byte version)
    {
        string header = $"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}";
        int prefix = version == 1 ? 10 : 12;
        header = header.PadRight((((prefix + header.Length) / 64) + 1) * 64 - prefix - 1) + "\n";
        byte[] length = version == 1 ? BitConverter.GetBytes((ushort)header.Length) : BitConverter.GetBytes(header.Length);
        return [0x93, .. "NUMPY"u8, version, 0, .. length, .. Encoding.Latin1.GetBytes(header), .. data];
    }

    private static byte[] Index(byte code, IdType type, int[] lengths, long[] documents)
    {
        long at = 0;
        long[] places = [.. lengths.Select(l => (at += l) - l).Select(p => p * type.Size())];
        return
        [
            .. "MMIDIDX\0\0"u8, .. BitConverter.GetBytes(1L), code, .. BitConverter.GetBytes((long)lengths.Length),
            .. BitConverter.GetBytes((long)documents.Length), .. MemoryMarshal.AsBytes(lengths.AsSpan()),
            .. MemoryMarshal.AsBytes(places.AsSpan()), .. MemoryMarshal.AsBytes(documents.AsSpan()),
        ];
    }

    private string Write(string name, byte[] bytes)
    {
        string path = Path.Combine(folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static void Refused(string path, string part, IdType? type = null) => Assert.Contains(
        part, Assert.Throws<UserErrorException>(() => ArrayFormats.Open(path, type)?.Dispose()).Message, StringComparison.Ordinal);
}
