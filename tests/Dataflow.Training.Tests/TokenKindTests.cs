using System.Text;

namespace Dataflow.Training.Tests;

/// <summary>
/// Files that hold ids in another form than the one that is read, and documents of another file: never read as something that they are not.
/// </summary>
public sealed class TokenKindTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private static int[] Ids(int count, int below) => [.. Enumerable.Range(0, count).Select(i => (int)((i * 2654435761L) % below))];

    private static string Fault(string path, int vocabSize) => UserErrors.Message(() => TokenFile.Open(path, 7, vocabSize));

    [Theory]
    [InlineData(200, 300)] // all ids fit, and every second of the halves is 0, which fits too
    [InlineData(200_000, 50_000)]
    [InlineData(16, 2)]
    public void Sixty_four_bit_ids_are_refused_and_not_read_as_pairs(int count, int below)
    {
        string path = _folder.Put("t.bin", [.. Ids(count, below).SelectMany(id => BitConverter.GetBytes((long)id))]);
        string expected =
            $"{path} holds 64-bit numbers, as every second 32-bit number is 0, and was to be read as 32-bit ids: say "
                + "--id-type uint64";
        Assert.Equal(expected, Fault(path, below));
        Assert.Equal(expected, Fault(path, 1)); // ids of another vocabulary besides
        Assert.Equal(expected, UserErrors.Message(() => TokenSources.Open(path, 7, below, LastRow.Short)));
    }

    [Theory]
    [InlineData(100_000, 50_000)]
    [InlineData(100_000, 65_535)]
    [InlineData(64, 256)]
    public void Sixteen_bit_ids_are_told_from_those_of_another_tokenizer(int count, int below)
    {
        string path = _folder.Put("t.bin", [.. Ids(count, below).SelectMany(id => BitConverter.GetBytes((ushort)id))]);
        Assert.EndsWith(
            "; as 16-bit numbers all would fit: say --id-type uint16",
            Fault(path, below),
            StringComparison.Ordinal
        );
        string other = _folder.PutIds("o.bin", Ids(count, below).Select(id => (uint)(id + 100_000)));
        Assert.EndsWith("; the file belongs to another tokenizer or is not a token file", Fault(other, below), StringComparison.Ordinal);
    }

    [Fact]
    public void An_array_with_a_header_is_refused()
    {
        byte[] header =
        [
            0x93,
            .. "NUMPY"u8,
            1,
            0,
            118,
            0,
            .. Encoding.ASCII.GetBytes("{'descr': '<i4', 'fortran_order': False, 'shape': (32,), }".PadRight(117) + "\n"),
        ];
        string path = _folder.Put("t.npy", [.. header, .. Ids(32, 9).SelectMany(BitConverter.GetBytes)]);
        Assert.Equal(
            $"{path} is a NumPy array with a header, and raw 32-bit token ids are read: write them with "
                + $"ids.astype('<i4').tofile('tokens.bin')",
            Fault(path, 1 << 30)
        );
    }

    [Fact]
    public void Zeros_that_are_ids_stay_ids()
    {
        using var zeros = TokenFile.Open(_folder.PutIds("z.bin", new uint[64]), 7, 2);
        Assert.Equal((8, 0), (zeros.RowCount, zeros.LargestId));
        using var few = TokenFile.Open(_folder.PutIds("f.bin", [1, 0, 3, 0, 5, 0, 7, 0]), 7, 8);
        Assert.Equal((1, 7), (few.RowCount, few.LargestId));
        using var odd = TokenFile.Open(
            _folder.PutIds(
                "o.bin",
                [
                    .. Enumerable
                        .Range(0, 64)
                        .Select(i =>
                            i == 63 ? 1u
                            : i % 2 == 0 ? 5u
                            : 0u
                        ),
                ]
            ),
            7,
            8
        );
        Assert.Equal(8, odd.RowCount);
    }

    [Fact]
    public void Ids_and_wide_characters_are_no_text()
    {
        string ids = _folder.PutIds("ids.bin", Enumerable.Range(0, 100).Select(i => (uint)i));
        Assert.StartsWith(
            $"{ids} is not UTF-8 text: 301 of its 400 bytes are 0, as in token ids or UTF-16; ",
            UserErrors.Message(() => ByteText.Open(ids, 7, 256)),
            StringComparison.Ordinal
        );
        string wide = _folder.Put("wide.txt", Encoding.Unicode.GetBytes("plain words"));
        Assert.Contains("11 of its 22 bytes are 0", UserErrors.Message(() => ByteText.Open(wide, 7, 256)), StringComparison.Ordinal);
    }

    [Fact]
    public void Documents_are_those_of_their_own_file()
    {
        string train = _folder.PutIds("tokens.bin", new uint[10]);
        string held = _folder.PutIds("held.bin", new uint[10]);
        string documents = _folder.Put("documents.json", "{\"rows\": [[1, 3], [4]]}");
        using (var tokens = TokenFile.Open(train, 4, 2))
        {
            Assert.Equal(documents, tokens.DocumentsPath);
        }

        Assert.Equal(
            $"{documents} belongs to the tokens.bin beside it, not to {held}: call it held.documents.json if it describes that file, or "
                + $"move one of them to another folder",
            UserErrors.Message(() => TokenFile.Open(held, 4, 2)));
        string own = _folder.Put("held.documents.json", "{\"rows\": [[2, 2], [1, 3]]}");
        using var named = TokenFile.Open(held, 4, 2);
        Assert.Equal(own, named.DocumentsPath);
        Assert.Equal([2, 2], named.Documents(0));
    }
}
