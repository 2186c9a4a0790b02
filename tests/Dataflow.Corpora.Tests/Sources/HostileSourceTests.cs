using System.Diagnostics;
using System.Text;
using Dataflow.Model;

namespace Dataflow.Corpora.Tests;

/// <summary>Texts and JSON that are made to harm, or change while they are read: a sentence, in little time and memory.</summary>
public sealed class HostileSourceTests : IDisposable
{
    private readonly SourceFolder _folder = new();

    [Theory]
    [InlineData("a.jsonl", "{\"text\": ", "line 1 is no JSON: it is nested more than 200 deep")]
    [InlineData("a.json", "[{\"text\": ", "record 1 does not end before the file does")]
    public void A_million_brackets_are_refused(string name, string before, string expected) =>
        Assert.Contains(expected, _folder.Refusal(name, before + new string('[', 1_000_000)));

    [Fact]
    public void A_million_brackets_that_close_are_refused() => Assert.Contains("record 1 is no JSON: it is nested more than 200 deep",
        _folder.Refusal("a.json", "[{\"text\": " + new string('[', 1_000_000) + new string(']', 1_000_000) + "}]"));

    [Fact]
    public void A_conversation_of_millions_of_values_is_refused() => Assert.Contains(
        "line 1 has a list or object of more than 1048576 values",
        _folder.Refusal("a.jsonl", "{\"messages\": [[]" + string.Concat(Enumerable.Repeat(",[]", 1 << 20)) + "]}"));

    [Fact]
    public void Json_in_text_is_no_deeper() => Assert.Contains("messages (text) of ", _folder.Refusal(
        "a.jsonl", "{\"messages\": \"" + new string('[', 1_000_000) + "\"}"));

    [Theory]
    [InlineData("a.jsonl", "line 1 has more than 16 MiB")]
    [InlineData("a.json", "record 1 has more than 16 MiB")]
    public void A_record_of_a_hundred_megabytes_is_refused(string name, string expected)
    {
        byte[] bytes = new byte[100_000_000];
        bytes.AsSpan().Fill((byte)'x');
        Encoding.UTF8.GetBytes(name == "a.json" ? "[{\"text\": \"" : "{\"text\": \"").CopyTo(bytes, 0);
        Assert.Contains(expected, _folder.Refusal(name, bytes));
    }

    [Fact]
    public void A_record_that_is_no_utf8_is_refused_with_its_byte() => Assert.Contains(
        "a.jsonl, line 2: byte 12 of it (0xFF) is not UTF-8", _folder.Refusal(
            "a.jsonl", [.. "{\"text\":\"\"}\n{\"text\": \"a"u8, .. new byte[] { 0xFF }, .. "\"}"u8]));

    [Fact]
    public void A_pipe_is_refused_and_not_waited_for()
    {
        string path = Path.Combine(_folder.Root, "pipe.txt");
        using (var make = Process.Start("mkfifo", path)) make.WaitForExit();
        Assert.Contains("not a regular file", SourceFolder.Refusal(path));
        Assert.Contains("not a regular file", SourceFolder.Refusal(Path.Combine(_folder.Root, "*.txt")));
        Assert.Contains("not a regular file", SourceFolder.Refusal(path, new SourceOptions { Format = SourceFormat.Parquet }));
    }

    [Fact]
    public void A_file_that_is_deleted_before_its_turn_is_refused()
    {
        (string first, string second) = (_folder.Write("a.txt", "a"), _folder.Write("b.txt", "b"));
        using IEnumerator<Passage> passages = SourceSet.Of([first, second]).Read().GetEnumerator();
        Assert.True(passages.MoveNext());
        File.Delete(second);
        Assert.Contains("b.txt does not exist", Assert.Throws<UserErrorException>(() => passages.MoveNext()).Message);
    }

    [Fact]
    public void A_file_that_is_deleted_while_it_is_read_is_read_to_its_end()
    {
        string path = _folder.Write("a.jsonl", string.Concat(Enumerable.Repeat("{\"text\": \"some text\"}\n", 50_000)));
        int count = 0;
        foreach (Passage _ in SourceSet.Of([path]).Read())
            if (count++ == 5) File.Delete(path);
        Assert.Equal(50_000, count);
    }

    [Theory]
    [InlineData("a.jsonl")]
    [InlineData("a.parquet")]
    public void A_file_that_is_cut_while_it_is_read_is_refused(string name)
    {
        string path = _folder.Write(name, string.Concat(Enumerable.Repeat("{\"text\": \"some text\"}\n", 50_000)));
        if (name == "a.parquet") _folder.Write(name, ParquetSourceTests.Bytes(
            Enumerable.Range(0, 10_000).Select(
                i => new TextRow { Id = i, Text = $"text {i}" }), new Parquet.ParquetOptions { RowGroupSize = 500 }));
        IEnumerable<Passage> passages = SourceSet.Of([path]).Read();
        int count = 0;
        Assert.Contains("it was cut short while in use", Assert.Throws<UserErrorException>(() =>
        {
            foreach (Passage _ in passages)
            {
                if (count++ != 5) continue;
                using FileStream stream = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
                stream.SetLength(1_000);
            }
        }).Message);
    }

    public void Dispose() => _folder.Dispose();
}
