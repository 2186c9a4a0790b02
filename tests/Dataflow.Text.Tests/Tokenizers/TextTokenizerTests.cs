using System.Buffers;
using Dataflow.Text.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Dataflow.Text.Tests;

/// <summary>Programs that take a tokenizer of Microsoft.ML.Tokenizers can take ours.</summary>
public class TextTokenizerTests
{
    private const string Text = "The \U0001F600 ferry\u0301 leaves";

    public static TheoryData<string> Names => ["llama3", "llama2", "unigram-json"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Ids_counts_and_texts_are_the_same_by_its_methods(string name)
    {
        Tokenizer tokenizer = GoldenTokenizers.Tokenizer(name);
        var ids = GoldenTokenizers.Tokenizer(name).EncodeIds(Text, false);
        Assert.Equal(ids, tokenizer.EncodeToIds(Text));
        Assert.Equal(ids, tokenizer.EncodeToIds(Text.AsSpan()));
        Assert.Equal(ids.Count, tokenizer.CountTokens(Text));
        Assert.Equal(GoldenTokenizers.Tokenizer(name).Decode(ids, false), tokenizer.Decode(ids));
        char[] written = new char[100];
        Assert.Equal(OperationStatus.Done, tokenizer.Decode(ids, written, out int consumed, out int length));
        Assert.Equal((ids.Count, tokenizer.Decode(ids)), (consumed, new string(written, 0, length)));
        Assert.Equal(OperationStatus.DestinationTooSmall, tokenizer.Decode(ids, written.AsSpan(0, 3), out _, out _));
    }

    [Fact]
    public void Its_offsets_are_in_utf16_units()
    {
        Tokenizer tokenizer = GoldenTokenizers.Tokenizer("llama3");
        var tokens = tokenizer.EncodeToTokens(Text, out _);
        Assert.Equal("The", Text[tokens[0].Offset]);
        Assert.Equal("\U0001F600", Text[tokens.First(t => t.Offset.Start.Value >= 4).Offset].TrimStart());
        Assert.Equal(Text.Length, tokens[^1].Offset.End.Value);
        Assert.EndsWith(" leaves", Text[..tokens[^1].Offset.End.Value], StringComparison.Ordinal);
    }

    [Fact]
    public void No_more_tokens_are_given_than_are_asked_for()
    {
        Tokenizer tokenizer = GoldenTokenizers.Tokenizer("llama3");
        var all = tokenizer.EncodeToIds(Text);
        var some = tokenizer.EncodeToIds(Text, 2, out _, out int consumed);
        Assert.Equal(all.Take(2), some);
        Assert.InRange(consumed, 1, Text.Length - 1);
    }

    [Fact]
    public void Many_texts_at_once_become_what_each_becomes()
    {
        var tokenizer = GoldenTokenizers.Tokenizer("qwen");
        var texts = GoldenTokenizers.Lines("texts.jsonl").Select(l => l.Text("text")).ToList();
        Assert.Equal(texts.Select(t => tokenizer.EncodeIds(t, true)), tokenizer.EncodeIds(texts, true));
    }

    [Fact]
    public void A_word_of_a_million_letters_and_texts_of_as_many_words_take_no_time_to_speak_of()
    {
        foreach (string name in new[] { "llama2", "llama3", "unigram-json" })
        {
            var tokenizer = GoldenTokenizers.Tokenizer(name);
            string word = string.Concat(Enumerable.Repeat("abcdefghij", 100_000));
            Assert.Equal(word, tokenizer.Decode(tokenizer.EncodeIds(word, false), false).TrimStart());
        }
    }

    // What the Rust library gives: the first takes all spaces; those that are found among these come again, unless they strip to the left.
    [Theory]
    [InlineData(true, new[] { 0, 2, 1 })]
    [InlineData(false, new[] { 0, 2, 2, 2, 1 })]
    public void A_token_of_spaces_that_takes_spaces_along_is_there_once(bool stripsLeft, int[] ids)
    {
        string flags = $"\"single_word\":false,\"lstrip\":{(stripsLeft ? "true" : "false")},\"rstrip\":true,\"normalized\":false";
        string json = "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":2,\"content\":\"  \"," + flags + ",\"special\":false}],"
            + "\"model\":{\"type\":\"BPE\",\"vocab\":{\"x\":0,\"y\":1},\"merges\":[]}}";
        var tokenizer = TextTokenizer.FromJson(System.Text.Encoding.UTF8.GetBytes(json));
        Assert.Equal(ids, tokenizer.EncodeIds("x       y", false));
        Assert.Equal(ids, tokenizer.Encode("x       y", false).TokenIds);
    }

    [Fact]
    public void Tokens_and_ids_are_found_by_each_other()
    {
        var tokenizer = GoldenTokenizers.Tokenizer("qwen");
        Assert.Equal(2006, tokenizer.IdCount);
        Assert.Equal("<|endoftext|>", tokenizer.TokenOf(2000));
        Assert.Equal(2000, tokenizer.IdOf("<|endoftext|>"));
        Assert.Null(tokenizer.TokenOf(2006));
        Assert.Null(tokenizer.IdOf("no such token"));
        Assert.Equal("", tokenizer.Decode([999_999], false));
    }
}
