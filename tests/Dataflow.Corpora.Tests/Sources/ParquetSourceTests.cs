using System.Text.Json;
using Dataflow.Text.Templates;
using Parquet;
using Parquet.Serialization;

namespace Dataflow.Corpora.Tests;

/// <summary>Rows of Parquet as documents.</summary>
public sealed class ParquetSourceTests : IDisposable
{
    private readonly SourceFolder _folder = new();

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Gzip)]
    [InlineData(CompressionMethod.Brotli)]
    [InlineData(CompressionMethod.Zstd)]
    [InlineData(CompressionMethod.Lz4Raw)]
    public void Texts_are_read_in_every_compression(CompressionMethod method)
    {
        TextRow[] rows = [.. Enumerable.Range(0, 100).Select(i => new TextRow { Id = i, Text = $"Téxt \"{i}\"\n" + new string('x', i) })];
        string path = Write(rows, new ParquetOptions { CompressionMethod = method, RowGroupSize = 30 });
        List<Passage> read = SourceFolder.ReadFromEverywhere(new SourceOptions(), path);
        Assert.Equal(rows.Select(r => r.Text), read.Select(p => p.Text));
        Assert.Equal(Enumerable.Range(1, 100), read.Select(p => (int)p.Place.Number));
        Assert.Equal($"{path}, row 3", read[2].Place.ToString());
    }

    [Theory]
    [InlineData(EncodingHint.Default)]
    [InlineData(EncodingHint.Dictionary)]
    public void Texts_that_come_again_are_read(EncodingHint hint)
    {
        TextRow[] rows = [.. Enumerable.Range(0, 1_000).Select(i => new TextRow { Id = i, Text = $"text {i * i % 23}" })];
        var options = new ParquetOptions { DictionaryEncodingThreshold = 0.9, CompressionMethod = CompressionMethod.Snappy };
        options.ColumnEncodingHints["text"] = hint;
        Assert.Equal(rows.Select(r => r.Text), SourceFolder.Read(new(), Write(rows, options)).Select(p => p.Text));
    }

    [Fact]
    public void A_prompt_and_its_completion_are_one_text()
    {
        Passage passage = Assert.Single(SourceFolder.Read(new(), Write(new PairRow[] { new() { Prompt = "a", Completion = "b" } })));
        Assert.Equal((DocumentKind.Completion, "ab", 1), (passage.Kind, passage.Text, passage.PromptLength));
    }

    [Fact]
    public void Structures_become_objects_without_what_is_null()
    {
        ChatRow[] rows =
        [
            new() { Messages = [new() { Role = "user", Content = "Hé" },
                new() { Role = "assistant", Content = null, Calls = [new() { Name = "f", Ids = [1, 2] }] }], Tools = "[]" },
            new() { Messages = [], Tools = null },
            new() { Messages = [new() { Role = "user", Content = "a", Calls = [] }, new() { Role = "x", Content = "b",
                Calls = [new() { Name = "g", Ids = [] }, new() { Name = "h", Ids = [3] }] }], Tools = "[5]" },
        ];
        List<Passage> read = SourceFolder.ReadFromEverywhere(new SourceOptions(), Write(rows));
        Assert.All(read, p => Assert.Equal(DocumentKind.Conversation, p.Kind));
        Assert.Equal(
            [
                """{"messages":[{"role":"user","content":"Hé"},{"role":"assistant","tool_calls":[{"name":"f","ids":[1,2]}]}],"tools":[]}""",
                """{"messages":[]}""",
                """{"messages":[{"role":"user","content":"a","tool_calls":[]},{"role":"x","content":"b",""" +
                    "\"tool_calls\":" + """[{"name":"g","ids":[]},{"name":"h","ids":[3]}]}],"tools":[5]}""",
            ],
            read.Select(p => p.Text));
        Assert.Equal(2, Conversation.Parse(read[0].Text).Messages.GetArrayLength());
    }

    [Fact]
    public void Random_structures_are_read_as_they_were_written()
    {
        var random = new Random(11);
        string? Some(int i) => random.Next(4) == 0 ? null : $"text {random.Next(30)} of {i}";
        ChatRow[] rows =
        [
            .. Enumerable.Range(0, 3_000).Select(i => new ChatRow
            {
                Messages = [.. Enumerable.Range(0, random.Next(5)).Select(_ => new Turn
                {
                    Role = random.Next(2) == 0 ? "user" : "assistant",
                    Content = Some(i),
                    Calls = random.Next(3) == 0 ? null : [.. Enumerable.Range(0, random.Next(3)).Select(c => new Call
                    {
                        Name = $"f{c}", Ids = [.. Enumerable.Range(0, random.Next(3)).Select(n => (long)n << 40)],
                    })],
                })],
            }),
        ];
        var json = new JsonSerializerOptions { DefaultIgnoreCondition =
            System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };
        List<Passage> read = SourceFolder.Read(new(), Write(rows, new ParquetOptions { RowGroupSize = 700 }));
        Assert.Equal(rows.Select(r => JsonSerializer.Serialize(r, json)), read.Select(p => p.Text));
    }

    [Fact]
    public void A_conversation_may_be_json_in_a_column()
    {
        TextRow[] rows = [new() { Id = 1, Text = """[{"role": "user", "content": "a"}]""" }];
        string path = Write(rows.Select(r => new JsonRow { Messages = r.Text }));
        Assert.Equal("""{"messages":[{"role": "user", "content": "a"}]}""", Assert.Single(SourceFolder.Read(new(), path)).Text);
    }

    [Fact]
    public void A_column_can_be_named()
    {
        string path = Write(new OtherRow[] { new() { Body = "a", Score = 0.5, Good = true } });
        Assert.Equal("a", Assert.Single(SourceFolder.Read(new SourceOptions { Field = "Body" }, path)).Text);
        Assert.Contains("has the columns Body, Score, Good; needed are text", SourceFolder.Refusal(path));
        Assert.Contains(
            "has no body, which --field names; it has the columns Body", SourceFolder.Refusal(path, new SourceOptions { Field = "body" }));
        Assert.Contains("row 1: Score is a number; it must be text", SourceFolder.Refusal(path, new SourceOptions { Field = "Score" }));
    }

    [Fact]
    public void Null_and_two_kinds_are_refused_with_their_row()
    {
        Assert.Contains("row 2: text is null", SourceFolder.Refusal(Write(new TextRow[] { new() { Text = "a" }, new() })));
        Assert.Contains(
            "row 1 has text and messages", SourceFolder.Refusal(Write(new JsonRow[] { new() { Messages = "[]", Text = "a" } })));
    }

    [Fact]
    public void A_file_may_have_no_rows() => Assert.Empty(SourceFolder.Read(new(), Write(Array.Empty<TextRow>())));

    [Fact]
    public void Numbers_of_all_kinds_are_written()
    {
        NumberRow[] rows = [new() { Messages = [new() { Role = "x", A = -5, B = long.MinValue, C = 0.1, D = 1.5f, E = true },
            new() { Role = "y", A = 7, C = double.NaN, E = false }] }];
        string first = """{"role":"x","A":-5,"B":-9223372036854775808,"C":0.1,"D":1.5,"E":true}""";
        string second = """{"role":"y","A":7,"B":0,"C":null,"D":0,"E":false}""";
        Assert.Equal($$"""{"messages":[{{first}},{{second}}]}""",
            Assert.Single(SourceFolder.Read(new SourceOptions { Field = "messages" }, _folder.Write("n.parquet", Bytes(rows)))).Text);
    }

    public void Dispose() => _folder.Dispose();

    private string Write<T>(IEnumerable<T> rows, ParquetOptions? options = null) => _folder.Write("a.parquet", Bytes(rows, options));

    internal static byte[] Bytes<T>(IEnumerable<T> rows, ParquetOptions? options = null)
    {
        var target = new MemoryStream();
        ParquetSerializer.SerializeAsync(rows, target, options).GetAwaiter().GetResult();
        return target.ToArray();
    }
}
