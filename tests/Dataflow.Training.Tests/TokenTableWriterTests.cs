using Dataflow.Model;

namespace Dataflow.Training.Tests;

/// <summary>Tables against small ones made by hand, and against a plain definition on the golden tokens.</summary>
public class TokenTableWriterTests
{
    public static TheoryData<string> Cases => Golden.Cases;

    private static int[][] Tables(int[] tables, int chunk, int chunkTokens, int stride) =>
        [.. Enumerable.Range(0, 4).Select(a => tables[((chunk * stride) + (a * chunkTokens))..][..chunkTokens])];

    [Fact]
    public void Short_rows_are_packed_and_the_tail_is_padding()
    {
        var rows = new Rows([[5, 3, 5, 9], [1, 0, 5, 7]], [null, null]);
        var writer = new TokenTableWriter(seqlen: 3, chunkTokens: 8, chunksPerGroup: 1);
        int[] tables = new int[32];
        Assert.Equal(6, writer.Write(rows, [1, 0], tables, 1));
        int[][] table = Tables(tables, 0, 8, 32);
        Assert.Equal([1, 0, 5, 5, 3, 5, 0, 0], table[0]);
        Assert.Equal([0, 5, 7, 3, 5, 9, -1, -1], table[1]);
        Assert.Equal([0, 0, 0, 3, 3, 3, 6, 7], table[2]);
        Assert.Equal([1, 6, 7, 0, 4, 2, 3, 5], table[3]);
    }

    [Fact]
    public void A_long_row_goes_through_the_chunks_of_its_group_and_documents_have_ends()
    {
        var rows = new Rows([[10, 11, 12, 13, 14, 15, 16], [20, 21, 22, 23, 24, 25, 26]], [[1, 4, 1], null]);
        var writer = new TokenTableWriter(seqlen: 6, chunkTokens: 3, chunksPerGroup: 2);
        const int stride = 16;
        int[] tables = [.. Enumerable.Repeat(-7, 4 * stride)];
        Assert.Equal(3 + 6, writer.Write(rows, [0, 1], tables, 4, stride));
        Assert.Equal([[10, 11, 12], [-1, 12, 13], [0, 1, 1], [0, 1, 2]], Tables(tables, 0, 3, stride));
        Assert.Equal([[13, 14, 15], [14, -1, -1], [1, 1, 5], [0, 1, 2]], Tables(tables, 1, 3, stride));
        Assert.Equal([[20, 21, 22], [21, 22, 23], [0, 0, 0], [0, 1, 2]], Tables(tables, 2, 3, stride));
        Assert.Equal([[23, 24, 25], [24, 25, 26], [0, 0, 0], [0, 1, 2]], Tables(tables, 3, 3, stride));
        Assert.All(Enumerable.Range(0, 4), c => Assert.Equal([-7, -7, -7, -7], tables[((c * stride) + 12)..][..4]));
    }

    [Fact]
    public void Lookups_of_the_padding_id_have_no_place_in_the_order()
    {
        var rows = new Rows([[5, 3, 5, 9], [1, 0, 5, 7]], [null, null]);
        int[] tables = new int[32];
        Assert.Equal(6, new TokenTableWriter(3, 8, 1, paddingId: 5).Write(rows, [1, 0], tables, 1));
        Assert.Equal([1, 0, 5, 5, 3, 5, 0, 0], tables[..8]);
        Assert.Equal([0, 5, 7, 3, 5, 9, -1, -1], tables[8..16]); // they are predicted all the same
        Assert.Equal([1, 6, 7, 0, 4, -1, -1, -1], tables[24..]);
    }

    [Fact]
    public void Windows_have_first_keys_of_their_own()
    {
        var rows = new Rows([[10, 11, 12, 13, 14, 15, 16]], [[2, 4]]);
        var writer = new TokenTableWriter(6, 3, 2, null, 2, 100);
        Assert.Equal(18, writer.TableInts);
        int[] tables = new int[2 * 18];
        writer.Write(rows, [0], tables, 2);
        Assert.Equal([0, 0, 2], tables[6..9]);
        Assert.Equal([0, 0, 2], tables[12..15]);
        Assert.Equal([0, 0, 2], tables[15..18]);
        Assert.Equal([2, 2, 2], tables[24..27]);
        Assert.Equal([2, 3, 4], tables[30..33]);
        Assert.Equal([2, 2, 2], tables[33..36]);
    }

    [Fact]
    public void Places_in_documents_and_their_order_follow_the_windows()
    {
        // A row of two documents, of 2 and 4 tokens, and one of a single document.
        var rows = new Rows([[10, 11, 12, 13, 14, 15, 16], [7, 7, 7, 7, 7, 7, 7]], [[2, 4], null]);
        var model = new ModelConfig
        {
            Name = "hand", VocabSize = 64, ModelDim = 16, LayerCount = 1, HeadCount = 2, KvHeadCount = 2, HeadDim = 8, FfnDim = 24,
            RopeTheta = 10000, RmsNormEps = 1e-5f, LearnedPositions = 6, Pattern = new LayerPattern([new LayerKind(24, Window: 3)]),
        };
        var writer = new TokenTableWriter(model, new Geometry(6, Rows: 2, ChunkTokens: 12, ChunksPerRound: 1, Rounds: 1, HeadTokens: 12));
        Assert.Equal(7 * 12, writer.TableInts);
        int[] tables = new int[7 * 12];
        writer.Write(rows, [0, 1], tables, 1);
        Assert.Equal([0, 1, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5], tables[60..72]);
        Assert.Equal([0, 2, 6, 1, 3, 7, 4, 8, 5, 9, 10, 11], tables[72..84]);
    }

    [Fact]
    public void Empty_rounds_are_all_padding_in_their_window()
    {
        int[] tables = new int[4 * 8];
        Assert.Equal(0, new TokenTableWriter(3, 2, 2).Write(new Rows([[1, 2, 3, 4]], [null]), [], tables, 4));
        Assert.Equal([[0, 0], [-1, -1], [2, 3], [0, 1]], Tables(tables, 1, 2, 8));
        Assert.Equal([[0, 0], [-1, -1], [0, 1], [0, 1]], Tables(tables, 2, 2, 8));
    }

    [Theory, MemberData(nameof(Cases))]
    public void Golden_rows_give_the_tables_that_their_definition_says(string name)
    {
        var model = ModelFiles.LoadConfig(Golden.Folder(name));
        int seqlen = Golden.Expected(name, "seqlen");
        using var tokens = TokenFile.Open(Path.Combine(Golden.Folder(name), "tokens.bin"), seqlen, model.VocabSize);
        int chunkTokens = seqlen / 2;
        int chunks = 2 * tokens.RowCount;
        int[] tables = new int[chunks * 4 * chunkTokens];
        int[] rows = [.. Enumerable.Range(0, tokens.RowCount)];
        int counted = new TokenTableWriter(seqlen, chunkTokens, chunksPerGroup: 2).Write(tokens, rows, tables, chunks);

        int expectedCount = 0;
        foreach (int row in rows)
        {
            int[] ids = new int[seqlen + 1];
            tokens.Read(row, ids);
            // As make_golden.py has it: a document number per token, and no target across a border or after the row's end.
            int[] document = [.. (tokens.Documents(row) ?? [seqlen]).SelectMany((length, d) => Enumerable.Repeat(d, length))];
            for (int i = 0; i < seqlen; i++)
            {
                bool counts = tokens.Documents(row) is null || (i + 1 < seqlen && document[i + 1] == document[i]);
                expectedCount += counts ? 1 : 0;
                int[][] table = Tables(tables, (2 * row) + (i / chunkTokens), chunkTokens, 4 * chunkTokens);
                Assert.Equal(
                    (ids[i], counts ? ids[i + 1] : -1, Array.IndexOf(document, document[i])),
                    (table[0][i % chunkTokens], table[1][i % chunkTokens], table[2][i % chunkTokens])
                );
            }
        }

        Assert.Equal(expectedCount, counted);
        for (int chunk = 0; chunk < chunks; chunk++)
        {
            int[][] table = Tables(tables, chunk, chunkTokens, 4 * chunkTokens);
            Assert.Equal(Enumerable.Range(0, chunkTokens).OrderBy(i => table[0][i]).ThenBy(i => i), table[3]);
        }
    }

    [Fact]
    public void A_document_across_a_window_border_is_a_mistake_of_the_plan()
    {
        var rows = new Rows([[1, 2, 3, 4], [1, 2, 3, 4]], [null, null]);
        var e = Assert.Throws<InvalidOperationException>(() => new TokenTableWriter(3, 2, 2).Write(rows, [0, 1], new int[32], 4));
        Assert.Contains("row 1 reaches from window group 0 into 1", e.Message, StringComparison.Ordinal);
        var packed = new Rows([[1, 2, 3, 4], [1, 2, 3, 4]], [null, [1, 2]]); // the border falls between its documents
        Assert.Equal(3 + 0 + 1, new TokenTableWriter(3, 2, 2).Write(packed, [0, 1], new int[32], 4));
    }

    [Fact]
    public void Impossible_geometries_are_mistakes_of_the_program()
    {
        var rows = new Rows([[1, 2, 3, 4]], [null]);
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenTableWriter(3, 2, 1).Write(rows, [0], new int[8], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenTableWriter(3, 4, 1).Write(rows, [0], new int[15], 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenTableWriter(3, 4, 1).Write(rows, [0], new int[16], 1, stride: 15));
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenTableWriter(4, 4, 1).Write(rows, [0], new int[16], 1));
    }

    [Fact]
    public void Writing_allocates_nothing()
    {
        using var tokens = TokenFile.Open(Path.Combine(Golden.Folder("llama-documents"), "tokens.bin"), 128, 300);
        var writer = new TokenTableWriter(128, 64, 2);
        int[] tables = new int[6 * 256];
        int[] rows = [0, 1, 2];
        writer.Write(tokens, rows, tables, 6);
        long before = GC.GetAllocatedBytesForCurrentThread();
        writer.Write(tokens, rows, tables, 6);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Weights_lie_behind_the_other_arrays_and_what_weighs_nothing_does_not_count()
    {
        var model = ModelFiles.LoadConfig(Golden.Folder("llama-small"));
        var geometry = new Geometry(3, 2, 8, 1, 1, 8) { TargetWeights = true };
        var writer = new TokenTableWriter(model, geometry);
        Assert.Equal(5 * 8, writer.TableInts);
        var rows = new Rows([[5, 3, 5, 9], [1, 0, 5, 7]], [null, null]) { Weights = [[0.5f, -2, 0], [3, 0.25f, 1]] };
        int[] tables = [.. Enumerable.Repeat(-7, 40)];
        Assert.Equal(5, writer.Write(rows, [1, 0], tables, 1));
        Assert.Equal(3 + 0.25 + 1 + 0.5 - 2, writer.WeightSum);
        Assert.Equal([0, 5, 7, 3, 5, -1, -1, -1], tables[8..16]);
        Assert.Equal([3, 0.25f, 1, 0.5f, -2, 0, 0, 0], tables[32..].Select(BitConverter.Int32BitsToSingle));

        // Without weights all of them are 1.
        Assert.Equal(6, writer.Write(new Rows([[5, 3, 5, 9], [1, 0, 5, 7]], [null, null]), [1, 0], tables, 1));
        Assert.Equal(6, writer.WeightSum);
        Assert.Equal([1, 1, 1, 1, 1, 1, 0, 0], tables[32..].Select(BitConverter.Int32BitsToSingle));
    }

    private sealed class Rows(int[][] rows, int[]?[] documents) : ITokenSource
    {
        public int RowCount => rows.Length;

        public int RowLength => rows[0].Length;

        public void Read(int row, Span<int> destination) => rows[row].CopyTo(destination);

        public IReadOnlyList<int>? Documents(int row) => documents[row];

        public float[][]? Weights { get; init; }

        public bool HasWeights => Weights is not null;

        public void ReadWeights(int row, Span<float> weights) => Weights![row].CopyTo(weights);
    }
}
